// Puts the page together: who is there, which of them is shown, and what happens when a token is wanted.

import { ApiError, ask } from "./api.js";
import { offerClusters } from "./clusters.js";
import { Controls } from "./controls.js";
import { Decisions } from "./decisions.js";
import { byId, setText } from "./elements.js";
import { Load } from "./load.js";
import { Size } from "./size.js";
import { askForToken } from "./token.js";
import { View } from "./view.js";

const AGAIN = 3000; // ms

/** A token is asked for where that helps. */
async function onRefused(error) {
  if (error instanceof ApiError && error.status === 401) await askForToken(error.message);
  else await new Promise((resolve) => setTimeout(resolve, AGAIN));
}

async function names() {
  for (;;) {
    try {
      const { clusters } = await ask("clusters");
      if (clusters.length) return clusters.map((each) => each.name);
      setText(byId("connection"), "no cluster is up yet");
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    } catch (error) {
      await onRefused(error);
    }
  }
}

const controls = new Controls({ cluster: () => view.name, onStatus: (status) => view.take(status), onRefused });
const view = new View({ size: new Size(), load: new Load(), decisions: new Decisions(), controls, onRefused });
byId("window").addEventListener("change", () => view.draw());
document.addEventListener("visibilitychange", () => view.draw());
await view.open(offerClusters(await names(), (name) => view.open(name)));
