// The policy that decides, and those that only advise: what they would have had, and what that would have cost.

import { byId, element, setText } from "./elements.js";
import { whole } from "./words.js";

/** More or less than in fact, with its sign. */
const difference = (value, unit) => `${value < 0 ? "−" : "+"}${Math.abs(value).toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;

function rowOf(shadow, size) {
  const number = (text) => element("td", { class: "number" }, text);
  return element("tr", {}, element("th", { scope: "row" }, shadow.name),
    number(whole(shadow.target === null ? null : shadow.target * size)), number(whole(shadow.size * size)),
    number(difference(shadow.cost, "worker-s")), number(difference(shadow.waiting, "s")), element("td", {}, shadow.error));
}

export function showPolicies(status) {
  setText(byId("about"), `Policy ${status.policy} decides. Driver: ${status.driver}.${status.scheduler ? ` Scheduler ${status.scheduler}.` : ""}`);
  const shadows = status.shadows ?? [];
  byId("policy-section").hidden = shadows.length === 0;
  byId("policies").replaceChildren(...shadows.map((each) => rowOf(each, status.unit_size)));
}
