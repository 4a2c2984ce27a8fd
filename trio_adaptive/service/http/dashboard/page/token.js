// The token, where the service wants one: kept for this tab alone, and never shown again.

import { byId, setText } from "./elements.js";

const KEY = "trio-adaptive token";

export const token = () => sessionStorage.getItem(KEY);

let asking = null;

/** Ask for a token; all who ask meanwhile wait for the same answer. */
export function askForToken(why) {
  asking ??= new Promise((resolve) => {
    const dialog = byId("token");
    const text = byId("token-text");
    setText(byId("token-why"), why);
    text.value = "";
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      if (text.value.trim()) sessionStorage.setItem(KEY, text.value.trim());
      text.value = "";
      asking = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
