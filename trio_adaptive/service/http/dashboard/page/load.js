// The work that is ready to run, and where it waits.

import { Chart } from "./chart.js";
import { byId, showFigures, showLegend } from "./elements.js";
import { bytes, duration, percent, whole } from "./words.js";

const PLACES = ["processing", "queued", "waiting"];

export class Load {
  constructor() {
    this.chart = new Chart(byId("load-chart"), { areas: PLACES, lines: [] });
    showLegend(byId("load-legend"), [["processing", "with a worker"], ["queued", "waiting for any worker"], ["waiting", "waiting for one that is not there"]]);
  }

  show({ load }) {
    const memory = load?.memory;
    showFigures(byId("load-figures"), [
      ["with a worker", whole(load?.processing), "processing"], ["queued", whole(load?.queued), "queued"], ["no worker", whole(load?.waiting), "waiting"],
      ["estimated work", duration(load?.seconds), null],
      ["results kept", memory ? `${bytes(memory.used)}${memory.limit ? `, ${percent(memory.used / memory.limit)}` : ""}` : "–", null],
    ]);
    byId("load-chart").setAttribute("aria-label", load ? `Tasks over time. Now: ${whole(load.processing)} with a worker, ${whole(load.queued)} queued.` : "Tasks over time. The load is not known.");
  }

  draw(points, now, seconds) {
    this.chart.show(points, now, seconds);
  }
}
