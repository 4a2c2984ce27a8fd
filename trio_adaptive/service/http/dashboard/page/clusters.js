// Which cluster is shown: the one in the address, so that a link leads to it, or the first.

import { byId, element } from "./elements.js";

export const chosen = () => decodeURIComponent(location.hash.slice(1));

/** Offer these clusters; calls `onChoice` with the name when a person has chosen another one. */
export function offerClusters(names, onChoice) {
  const select = byId("cluster");
  select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
  const now = names.includes(chosen()) ? chosen() : names[0];
  select.value = now ?? "";
  select.onchange = () => {
    history.replaceState(null, "", `#${encodeURIComponent(select.value)}`);
    onChoice(select.value);
  };
  return now;
}
