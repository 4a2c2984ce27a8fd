// One chart of BokehJS: areas that lie upon each other, and lines over them, all as steps.

import { element } from "./elements.js";
import { columns } from "./history.js";
import { colour, onThemeChange } from "./theme.js";

const { Plotting } = Bokeh;
const NEAR = 8; // a loose line up to here, or twice what is there, is shown
const LEAST = 60; // s, shown also while there are fewer
const FONT = "system-ui, sans-serif";

/** Bokeh shows times as UTC; so that people read their own time, it is given another one. */
const local = (time) => (time - new Date(time * 1000).getTimezoneOffset() * 60) * 1000;

export class Chart {
  /**
   * `areas` are names of columns from the bottom to the top, each also the name of its colour.
   * `lines` are {column, colour, dash, width, loose}; a loose one may lie far above what is shown.
   */
  constructor(place, { areas, lines }) {
    Object.assign(this, { place, areas, lines });
    this.#build();
    onThemeChange(() => this.#build());
  }

  #build() {
    // Nothing in it can be reached by keyboard or read aloud: what it shows is said by the label of the place.
    const canvas = element("div", { class: "canvas", inert: "" });
    this.place.replaceChildren(canvas);
    this.range = new Bokeh.Range1d({ start: 0, end: 1 });
    this.heights = new Bokeh.Range1d({ start: 0, end: 4 });
    this.source = new Bokeh.ColumnDataSource({ data: this.data ?? this.#none() });
    this.plot = Plotting.figure({
      x_axis_type: "datetime", x_range: this.range, y_range: this.heights, tools: "", toolbar_location: null,
      sizing_mode: "stretch_both", min_border_left: 34, min_border_right: 12, output_backend: "canvas",
      background_fill_color: null, border_fill_color: null, outline_line_color: null,
    });
    this.#draw();
    this.#dress();
    Plotting.show(this.plot, canvas);
    if (this.shown) this.show(...this.shown);
  }

  /** One point of nothing: BokehJS draws steps of no points for ever. */
  #none() {
    const names = [...this.lines.map((each) => each.column), ...this.areas.flatMap((each) => [`${each} top`, `${each} bottom`])];
    return { time: [0], ...Object.fromEntries(names.map((each) => [each, [0]])) };
  }

  #draw() {
    const x = { field: "time" };
    for (const area of this.areas) {
      this.plot.varea_step({ x, y1: { field: `${area} bottom` }, y2: { field: `${area} top` }, source: this.source, step_mode: "after", fill_color: colour(area), fill_alpha: 0.9 });
    }
    for (const { column, colour: name, dash, width } of this.lines) {
      this.plot.step({ x, y: { field: column }, source: this.source, mode: "after", line_color: colour(name), line_dash: dash ?? "solid", line_width: width ?? 2 });
    }
  }

  #dress() {
    const [x] = this.plot.below;
    const [y] = this.plot.left;
    for (const axis of [x, y]) {
      axis.setv({
        axis_line_color: colour("line"), major_tick_line_color: colour("line"), minor_tick_line_color: null,
        major_label_text_color: colour("soft"), major_label_text_font: FONT, major_label_text_font_size: "12px",
      });
    }
    y.ticker.min_interval = 1; // there are no half workers
    for (const grid of this.plot.center) grid.grid_line_color = grid.dimension === 1 ? colour("line") : null;
  }

  /** Show the last `seconds` of the points, or as many as there are. */
  show(points, now, seconds) {
    if (!points.length) return;
    this.shown = [points, now, seconds];
    const since = Math.max(now - seconds, Math.min(points[0].time, now - LEAST));
    const found = columns(points, since, now, [...this.areas, ...this.lines.map((each) => each.column)]);
    const below = found.time.map(() => 0);
    const data = { ...found, time: found.time.map(local) };
    for (const area of this.areas) {
      data[`${area} bottom`] = [...below];
      found[area].forEach((value, at) => { below[at] += value || 0; });
      data[`${area} top`] = [...below];
    }
    this.source.data = this.data = data;
    this.range.setv({ start: local(since), end: local(now) });
    const of = (lines) => lines.flatMap((each) => found[each.column]).filter(Number.isFinite);
    const highest = Math.max(1, ...below, ...of(this.lines.filter((each) => !each.loose)));
    const near = of(this.lines.filter((each) => each.loose)).filter((value) => value <= Math.max(NEAR, 2 * highest));
    this.heights.end = Math.max(highest, ...near) * 1.12;
  }
}
