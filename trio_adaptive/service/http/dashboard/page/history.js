// What the charts show: points over time, from records of the past and from each new status.

const KEPT_S = 2 * 3600;
const MOST = 5000;

/** Workers by state from counts of units; the states exclude each other. */
export function byState(counts, size) {
  const serving = counts.observed - counts.draining;
  const busy = Math.min(counts.busy, serving);
  return {
    busy: busy * size,
    ready: (serving - busy) * size,
    leaving: counts.draining * size,
    starting: (counts.requested - counts.observed) * size,
    planned: (counts.plan - counts.requested) * size,
  };
}

export class History {
  constructor() {
    this.points = [];
  }

  /** Take in older records, newest first; what they do not tell is taken from the status. */
  addRecords(records, status) {
    const size = status.unit_size;
    const older = records.filter((each) => each.decision && each.kind.startsWith("sample")).map((each) => ({
      time: each.time,
      ...byState(each.counts, size),
      target: each.decision.final * size,
      wanted: each.decision.raw * size,
      minimum: status.minimum,
      maximum: status.maximum,
      processing: null, queued: null, waiting: null,
    }));
    const first = this.points[0]?.time ?? Infinity;
    this.points = [...older.reverse().filter((each) => each.time < first), ...this.points];
  }

  addStatus(status) {
    const size = status.unit_size;
    const { load } = status;
    this.points.push({
      time: status.time,
      ...byState(status.counts, size),
      target: status.target === null ? null : status.target * size,
      wanted: status.wanted === null ? null : status.wanted * size,
      minimum: status.minimum,
      maximum: status.maximum,
      processing: load?.processing ?? null, queued: load?.queued ?? null, waiting: load?.waiting ?? null,
    });
    this.#forget(status.time);
  }

  #forget(now) {
    const old = this.points.findIndex((each) => each.time > now - KEPT_S);
    if (old > 0) this.points.splice(0, old);
    if (this.points.length > MOST) this.points = this.points.filter((_, at) => at % 2 || at > MOST / 2); // the older half, thinned
  }
}

/** Columns of the points since a time, with the one before it, and the last one drawn out until now. */
export function columns(points, since, now, names) {
  const from = Math.max(0, points.findLastIndex((each) => each.time <= since));
  const shown = points.slice(from);
  if (shown.length) shown.push({ ...shown.at(-1), time: Math.max(now, shown.at(-1).time) });
  const found = { time: shown.map((each) => each.time) };
  for (const name of names) found[name] = shown.map((each) => each[name] ?? NaN);
  return found;
}
