// What a person should know before anything else: one line each, said once.

import { byId, element } from "./elements.js";

const MOST = 300;

export function noticesOf(status) {
  const found = [];
  const add = (words, bad = false) => found.push({ words, bad });
  if (status.stage !== "running") add(`Not adapting: ${status.stop_reason || status.stage}.`, true);
  if (status.unanswered) add(`No answer, so the size is held: ${status.unanswered}`, true);
  if (status.breaker !== "closed") add(`The breaker is ${status.breaker}: launches fail again and again. ${inOneLine(status.last_error)}`, true);
  else if (status.failures) add(`The latest launch failed: ${inOneLine(status.last_error)}`);
  if (status.paused.length) add(`Paused: ${status.paused.join(" and ")}.`);
  if (status.hold) add(`Held at ${status.hold.n}${until(status.hold.until)}.`);
  if (status.floor) add(`At least ${status.floor.n} requested${until(status.floor.until)}.`);
  for (const words of status.blocked) add(words);
  if (status.degraded) add(`Less is known than could be: ${inOneLine(status.degraded)}`);
  if (status.journal) add(`The journal is not being written: ${status.journal}`);
  return found;
}

/** What programs have said over several lines, in one that is not too long. */
function inOneLine(text) {
  const line = (text || "no reason given").replace(/\s+/g, " ").trim();
  return line.length > MOST ? `${line.slice(0, MOST)} …` : line;
}

function until(time) {
  return time === null ? "" : ` until ${new Date(time * 1000).toLocaleTimeString(undefined, { hour12: false })}`;
}

let shown = "";

export function showNotices(status) {
  const notices = noticesOf(status);
  const all = JSON.stringify(notices);
  if (all === shown) return;
  shown = all;
  byId("notices").replaceChildren(...notices.map(({ words, bad }) => element("li", bad ? { class: "bad" } : {}, words)));
}
