// What the workers have cost so far, and what for.

import { byId, element, showFigures, showLegend } from "./elements.js";
import { duration, paid, percent } from "./words.js";

const USES = [["busy", "useful"], ["starting", "starting"], ["idle", "idle"], ["leaving", "draining"]];

export function showCost({ cost }) {
  showFigures(byId("cost-figures"), [
    ["paid", paid(cost.paid)], ["over", duration(cost.duration)], ["at the most", `${cost.peak} at once`],
    ["saved, against that size always", percent(cost.saving)],
  ].map(([term, value]) => [term, value, null]));
  const shares = USES.map(([use, words]) => [use, words, cost.paid ? cost[use] / cost.paid : 0]);
  const bar = byId("cost-bar");
  if (!bar.children.length) bar.replaceChildren(...shares.map(([use]) => element("div", { class: `key-${use}` })));
  shares.forEach(([, , share], at) => { bar.children[at].style.width = `${100 * share}%`; });
  const words = shares.map(([use, name, share]) => [use, `${name} ${percent(share)}`]);
  bar.setAttribute("aria-label", `How the cost is divided: ${words.map(([, text]) => text).join(", ")}`);
  showLegend(byId("cost-legend"), words);
}
