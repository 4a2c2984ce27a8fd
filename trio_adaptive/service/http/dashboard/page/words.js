// Numbers, durations and times as people read them.

export const whole = (n) => (n === null || n === undefined ? "–" : Math.round(n).toLocaleString("en"));

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** Worker-seconds, in the unit that fits. */
export function paid(seconds) {
  if (seconds < 600) return `${Math.round(seconds)} worker-s`;
  return `${(seconds / 3600).toFixed(seconds < 36000 ? 2 : 0)} worker-h`;
}

export function bytes(n) {
  if (!n) return "0";
  const power = Math.min(5, Math.floor(Math.log2(n) / 10));
  const value = n / 1024 ** power;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${["B", "KiB", "MiB", "GiB", "TiB", "PiB"][power]}`;
}

export const clock = (time) => new Date(time * 1000).toLocaleTimeString(undefined, { hour12: false });

export const percent = (share) => (share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(share * 100)} %`);
