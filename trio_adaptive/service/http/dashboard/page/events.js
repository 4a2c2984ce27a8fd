// The stream of server-sent events, read by fetch, since the browser's own EventSource can send no token.

import { ApiError, addressOf, clusterPath, headers } from "./api.js";

const SILENCE = 40_000; // ms; there is a heartbeat every 15 s
const RETRY = 500;
const RETRY_MAX = 15_000;

/** Take the events out of a text; returns them and what is left over. */
export function takeEvents(text) {
  const blocks = text.split(/\r?\n\r?\n/);
  const rest = blocks.pop();
  return [blocks.map(parseEvent).filter((event) => event.data !== ""), rest];
}

function parseEvent(block) {
  const event = { type: "message", data: [], id: null };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "event") event.type = value;
    if (name === "data") event.data.push(value);
    if (name === "id") event.id = value;
  }
  return { ...event, data: event.data.join("\n") };
}

/**
 * Follow a cluster for ever; ends when `signal` is aborted.
 * `on` has `status(object)`, `record(object)`, `state("live" | "lost")` and `refused(error)`, which is waited for.
 */
export async function follow(cluster, on, signal) {
  let last = null;
  let pause = RETRY;
  while (!signal.aborted) {
    try {
      await readOnce(cluster, last, signal, (event) => {
        pause = RETRY;
        last = event.id ?? last;
        on.state("live");
        on[event.type]?.(JSON.parse(event.data));
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError) await on.refused(error);
    }
    if (signal.aborted) return;
    on.state("lost");
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(2 * pause, RETRY_MAX);
  }
}

async function readOnce(cluster, last, signal, take) {
  const dead = new AbortController();
  const end = () => dead.abort();
  signal.addEventListener("abort", end);
  let timer = setTimeout(end, SILENCE);
  try {
    const more = last === null ? {} : { "Last-Event-ID": last };
    const answer = await fetch(addressOf(clusterPath(cluster, "/events")), { headers: headers({ Accept: "text/event-stream", ...more }), signal: dead.signal, cache: "no-store" });
    if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => ({})));
    let text = "";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE);
      const [events, rest] = takeEvents(text + value);
      text = rest;
      events.forEach(take);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
