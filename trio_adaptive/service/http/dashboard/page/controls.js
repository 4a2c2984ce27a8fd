// Pause, limits, hold and request, sent to the cluster that is shown; what the service answers is said at once.

import { ApiError, ask, clusterPath } from "./api.js";
import { byId, setText } from "./elements.js";

const number = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text.trim());
const duration = (text) => text.trim() || null;
const DIRECTIONS = ["growing", "shrinking"];

export class Controls {
  /** `cluster()` names the cluster, `onStatus` takes the new status, `onRefused` is waited for when a token is wanted. */
  constructor({ cluster, onStatus, onRefused }) {
    Object.assign(this, { cluster, onStatus, onRefused, status: null });
    for (const direction of DIRECTIONS) byId(`pause-${direction}`).addEventListener("click", () => this.#togglePause(direction));
    this.#onSubmit("limits", "/limits", "PATCH", (form) => ({ minimum: number(form.minimum.value), maximum: form.maximum.value.trim() ? number(form.maximum.value) : null }), "Limits set.");
    this.#onSubmit("hold", "/hold", "PUT", (form) => ({ n: number(form.n.value), for: duration(form.for.value) }), "Held.");
    this.#onSubmit("requests", "/requests", "POST", (form) => ({ n: number(form.n.value), for: duration(form.for.value) }), "Requested.");
    byId("let-go").addEventListener("click", () => this.#send("/hold", { method: "DELETE", body: {} }, "No longer held."));
  }

  /** Show what is so now; what a person is typing is left alone. */
  show(status) {
    const first = this.status === null;
    this.status = status;
    for (const direction of DIRECTIONS) {
      const button = byId(`pause-${direction}`);
      const paused = status.paused.includes(direction);
      button.setAttribute("aria-pressed", String(paused));
      setText(button, `${paused ? "Resume" : "Pause"} ${direction}`);
    }
    byId("let-go").disabled = status.hold === null;
    const form = byId("limits");
    if (first || !form.contains(document.activeElement)) {
      form.minimum.value = status.minimum;
      form.maximum.value = status.maximum ?? "";
    }
  }

  /** Another cluster is shown from now on. */
  reset() {
    this.status = null;
    this.#say("");
    for (const id of ["limits", "hold", "requests"]) byId(id).reset();
  }

  #togglePause(direction) {
    const paused = this.status?.paused.includes(direction);
    this.#send(paused ? "/resume" : "/pause", { method: "POST", body: { direction } }, paused ? `${direction} resumed.` : `${direction} paused.`);
  }

  #onSubmit(id, path, method, bodyOf, done) {
    const form = byId(id);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(path, { method, body: bodyOf(form) }, done, form);
    });
  }

  async #send(path, request, done, form = null) {
    for (const input of form?.querySelectorAll("input") ?? []) input.removeAttribute("aria-invalid");
    try {
      this.onStatus(await ask(clusterPath(this.cluster(), path), request));
      this.#say(done.charAt(0).toUpperCase() + done.slice(1));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        await this.onRefused(error);
        return;
      }
      this.#say(error instanceof ApiError ? error.message : "The service does not answer.", true);
      for (const field of error.fields ?? []) form?.elements[field]?.setAttribute("aria-invalid", "true");
      form?.querySelector("[aria-invalid]")?.focus();
    }
  }

  #say(words, wrong = false) {
    const said = byId("said");
    said.className = wrong ? "said wrong" : "said";
    setText(said, words);
  }
}
