// Every worker by name and state, asked for while the page is looked at.

import { byId, element, setText } from "./elements.js";
import { bytes, duration, whole } from "./words.js";

const MOST = 500;
const ORDER = ["failed", "lost", "leaving", "draining", "being cancelled", "being recalled", "planned", "requested", "starting", "registered"];

const LOOKS = {
  requested: "starting", starting: "starting", planned: "planned", leaving: "leaving", draining: "leaving", "being cancelled": "leaving",
  "being recalled": "ready", failed: "failed", lost: "lost",
};

/** A class for the colour, and words, for a state of the API. */
export function stateOf({ state, tasks }) {
  if (state === "registered") return tasks ? ["busy", "busy"] : ["ready", "ready"];
  return [LOOKS[state] ?? "planned", state === "requested" ? "starting" : state];
}

function rowOf(worker) {
  const [key, words] = stateOf(worker);
  const cell = (text, attributes = {}) => element("td", attributes, text);
  return element("tr", {},
    element("th", { scope: "row" }, worker.name ?? "–"), cell(worker.unit), cell(words, { class: `state is-${key}` }),
    cell(whole(worker.tasks), { class: "number" }), cell(worker.idle == null ? "" : duration(worker.idle), { class: "number" }),
    cell(worker.stored ? bytes(worker.stored) : "", { class: "number" }),
    cell(`${worker.ours === false ? "not started by this service. " : ""}${worker.detail ?? ""}`));
}

export function showWorkers(workers) {
  const rank = (each) => ORDER.indexOf(each.state);
  const sorted = [...workers].sort((a, b) => rank(a) - rank(b) || (a.name ?? a.unit).localeCompare(b.name ?? b.unit, "en", { numeric: true }));
  const rows = sorted.slice(0, MOST).map(rowOf);
  byId("workers").replaceChildren(...(rows.length ? rows : [element("tr", {}, element("td", { colspan: "7" }, "There are none."))]));
  setText(byId("more-workers"), sorted.length > MOST ? `and ${whole(sorted.length - MOST)} more` : "");
}
