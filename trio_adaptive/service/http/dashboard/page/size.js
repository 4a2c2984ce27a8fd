// How many workers there are, how many are aimed at and why: figures, words, and the chart over time.

import { Chart } from "./chart.js";
import { byId, setText, showFigures, showLegend } from "./elements.js";
import { byState } from "./history.js";
import { whole } from "./words.js";

const STATES = ["busy", "ready", "leaving", "starting", "planned"];

const LINES = [
  { column: "maximum", colour: "bound", dash: "dashed", loose: true },
  { column: "minimum", colour: "bound", dash: "dashed", loose: true },
  { column: "wanted", colour: "wanted", dash: "dotted", loose: true },
  { column: "target", colour: "target", width: 2.5 },
];

const LEGEND = [
  ...STATES.map((state) => [state, state]),
  ["target", "target", "stroke"], ["wanted", "asked for by the load", "stroke dotted"], ["bound", "limits", "stroke dashed"],
];

export class Size {
  constructor() {
    this.chart = new Chart(byId("workers-chart"), { areas: STATES, lines: LINES });
    showLegend(byId("legend"), LEGEND);
  }

  show(status) {
    const size = status.unit_size;
    const now = byState(status.counts, size);
    const target = status.target === null ? null : status.target * size;
    const wanted = status.wanted === null ? null : status.wanted * size;
    const limits = `${status.minimum} to ${status.maximum ?? "any number"}`;
    showFigures(byId("figures"), [
      ["target", whole(target), null], ["busy", whole(now.busy), "busy"], ["ready", whole(now.ready), "ready"],
      ["starting", whole(now.starting), "starting"], ["planned", whole(now.planned), "planned"], ["leaving", whole(now.leaving), "leaving"],
      ["asked for", whole(wanted), null], ["limits", limits, null],
    ]);
    setText(byId("reasons"), [...status.reasons, status.note].filter(Boolean).join("; "));
    byId("workers-chart").setAttribute("aria-label", `Workers over time. Now: target ${whole(target)}, ${STATES.map((each) => `${now[each]} ${each}`).join(", ")}; limits ${limits}.`);
  }

  draw(points, now, seconds) {
    this.chart.show(points, now, seconds);
  }
}
