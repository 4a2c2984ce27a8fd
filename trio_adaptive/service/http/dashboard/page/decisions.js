// What was decided, in words, with the chain of reasons; what became of it; and what people have commanded.

import { byId, element, setText } from "./elements.js";
import { clock } from "./words.js";

const KEPT = 200;

/** Whether a record tells anything that a person would want to read. */
export const tells = (record) => Boolean(record.words);

const isTrouble = (record) => record.kind === "sample failed" || ["failed", "timed out", "forced"].includes(record.outcome?.result);

function chainOf(decision) {
  const { raw, final, active, reasons, why } = decision;
  const steps = [element("li", {}, element("b", {}, String(raw)), ` asked for by the load${why ? `: ${why}` : ""}`)];
  for (const { limiter, before, after, why } of reasons) {
    steps.push(element("li", {}, element("b", {}, `${before} → ${after}`), ` ${limiter}: ${why}`));
  }
  steps.push(element("li", {}, element("b", {}, `${active} → ${final}`), ": from what there was to what is aimed at"));
  return element("ol", { class: "chain", role: "list", "aria-label": "Chain of reasons" }, ...steps);
}

function itemOf(record) {
  const time = element("time", { datetime: new Date(record.time * 1000).toISOString() }, clock(record.time));
  const kind = element("span", { class: "kind" }, record.command?.by ? `command by ${record.command.by}` : record.kind === "sample" || record.kind === "suggestion" ? "decision" : record.kind);
  const words = element("p", isTrouble(record) ? { class: "trouble" } : {}, record.words);
  const item = element("li", {}, time, kind, words);
  item.dataset.id = record.id;
  if (record.decision && (record.kind === "sample" || record.kind === "suggestion")) item.append(chainOf(record.decision));
  return item;
}

export class Decisions {
  constructor() {
    this.list = byId("decisions");
    this.known = new Set();
  }

  /** Show what was before this page, newest first. */
  fill(records) {
    const told = records.filter(tells).filter((each) => !this.known.has(each.id)).slice(0, KEPT);
    for (const record of told) {
      this.known.add(record.id);
      this.list.append(itemOf(record));
    }
    this.#sayIfEmpty();
  }

  /** Show a new one, and let a screen reader say it. */
  add(record) {
    if (!tells(record) || this.known.has(record.id)) return;
    this.known.add(record.id);
    this.list.querySelector(".empty")?.remove();
    this.list.prepend(itemOf(record));
    while (this.list.children.length > KEPT) {
      this.known.delete(this.list.lastElementChild.dataset.id);
      this.list.lastElementChild.remove();
    }
    setText(byId("latest"), record.words);
  }

  clear() {
    this.known.clear();
    this.list.replaceChildren();
  }

  #sayIfEmpty() {
    if (!this.list.children.length) this.list.append(element("li", { class: "empty" }, "Nothing has had to be done yet."));
  }
}
