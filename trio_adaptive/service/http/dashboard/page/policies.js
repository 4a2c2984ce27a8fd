// The policy that decides, and those that are only asked what they would have done.

import { byId, element, setText } from "./elements.js";
import { whole } from "./words.js";

const words = (regret) => (typeof regret === "object" && regret !== null ? Object.entries(regret).map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? Math.round(value * 10) / 10 : value}`).join(", ") : String(regret ?? ""));

/** `policy` is the answer of the API: {name, shadows: [{name, target, regret}]}. */
export function showPolicies(policy) {
  const shadows = policy?.shadows ?? [];
  byId("policy-section").hidden = shadows.length === 0;
  const rows = shadows.map((each) => element("tr", {}, element("th", { scope: "row" }, each.name), element("td", { class: "number" }, whole(each.target)), element("td", {}, words(each.regret))));
  byId("policies").replaceChildren(...rows);
}

export const showDeciding = (status) => setText(byId("about"), `Policy ${status.policy} decides. Driver: ${status.driver}.${status.scheduler ? ` Scheduler ${status.scheduler}.` : ""}`);
