// Asking the service. What it refuses becomes an ApiError with its own words.

import { token } from "./token.js";

const ROOT = new URL("api/v1/", document.baseURI);

export class ApiError extends Error {
  constructor(status, problem) {
    const errors = problem.errors ?? [];
    super(errors.length ? errors.map((each) => `${each.path}: ${each.problem}${each.allowed ? ` (${each.allowed})` : ""}`).join("; ") : problem.detail || problem.title || `the answer was ${status}`);
    this.status = status;
    this.fields = errors.map((each) => each.path);
  }
}

export const clusterPath = (name, rest = "") => `clusters/${encodeURIComponent(name)}${rest}`;

export function headers(more = {}) {
  const mine = token();
  return mine ? { ...more, Authorization: `Bearer ${mine}` } : more;
}

export const addressOf = (path) => new URL(path, ROOT);

/** Ask; a body makes it a change, and is sent as JSON. */
export async function ask(path, { method = "GET", body, signal } = {}) {
  const given = body === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(addressOf(path), {
    method, signal, headers: headers(given), body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin",
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ApiError(answer.status, told);
  return told;
}
