// One cluster, followed from its past to now: what comes in, and where it is shown.

import { ask, clusterPath } from "./api.js";
import { showCost } from "./cost.js";
import { byId, setText } from "./elements.js";
import { follow } from "./events.js";
import { History } from "./history.js";
import { showNotices } from "./notices.js";
import { showPolicies } from "./policies.js";
import { pace } from "./theme.js";
import { showWorkers } from "./workers.js";

const PAST = 1000;
const TOLD = 200;
const WORKERS_EVERY = 2000; // ms

export class View {
  constructor({ size, load, decisions, controls, onRefused }) {
    Object.assign(this, { size, load, decisions, controls, onRefused });
    this.stopped = new AbortController();
    this.drawn = 0;
  }

  /** Show another cluster from now on. */
  async open(name) {
    this.stopped.abort();
    this.stopped = new AbortController();
    const { signal } = this.stopped;
    this.name = name;
    this.history = new History();
    this.status = null;
    this.decisions.clear();
    this.controls.reset();
    follow(name, {
      status: (status) => this.take(status),
      record: (record) => this.decisions.add(record),
      state: (state) => this.#connection(state),
      refused: (error) => this.onRefused(error),
    }, signal);
    await this.#past(name, signal);
    this.#askAgain(signal);
  }

  /** Show a status, whoever has brought it. */
  take(status) {
    if (status.name !== this.name) return;
    this.status = status;
    this.history.addStatus(status);
    showNotices(status);
    this.size.show(status);
    this.load.show(status);
    showCost(status);
    showPolicies(status);
    this.controls.show(status);
    const dask = byId("dask");
    dask.hidden = !/^https?:/.test(status.dashboard);
    if (!dask.hidden) dask.href = status.dashboard;
    document.title = `${status.counts.observed * status.unit_size} workers · ${status.name} · trio-adaptive`;
    if (performance.now() - this.drawn >= pace()) this.draw();
  }

  draw() {
    if (this.status === null || document.hidden) return;
    this.drawn = performance.now();
    const seconds = Number(document.querySelector("#window input:checked").value);
    const now = Math.max(this.status.time, this.history.points.at(-1)?.time ?? 0);
    this.size.draw(this.history.points, now, seconds);
    this.load.draw(this.history.points, now, seconds);
  }

  async #past(name, signal) {
    try {
      const status = await ask(clusterPath(name), { signal });
      const past = await ask(clusterPath(name, `/records?limit=${PAST}&all=true`), { signal });
      const told = await ask(clusterPath(name, `/records?limit=${TOLD}`), { signal });
      if (signal.aborted) return;
      this.history.addRecords(past.records, status);
      this.decisions.fill(told.records);
      this.take(status);
      this.draw();
    } catch (error) {
      if (!signal.aborted) await this.onRefused(error);
    }
  }

  async #askAgain(signal) {
    while (!signal.aborted) {
      if (!document.hidden) {
        try {
          const { workers } = await ask(clusterPath(this.name, "/workers"), { signal });
          if (!signal.aborted) showWorkers(workers);
        } catch {
          // The stream says whether the service is there; the next round asks again.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, WORKERS_EVERY));
    }
  }

  #connection(state) {
    const shown = byId("connection");
    if (shown.dataset.state === state) return;
    shown.dataset.state = state;
    setText(shown, state === "live" ? "live" : "no connection, trying again");
  }
}
