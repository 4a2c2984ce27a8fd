// Making and changing elements. Text comes in as text only, so that nobody's task name can be markup.

export const byId = (id) => document.getElementById(id);

/** element("li", {class: "bad"}, "text", another) */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Change a text only where it is another one, so that a screen reader has nothing to repeat. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A list of terms and values; `entries` are [term, value, class of the colour or null]. */
export function showFigures(list, entries) {
  if (list.children.length !== entries.length) list.replaceChildren(...entries.map(() => element("div", {}, element("dt"), element("dd"))));
  entries.forEach(([term, value, key], at) => {
    const [dt, dd] = list.children[at].children;
    setText(dt, term);
    setText(dd, value);
    dt.className = key ? `key is-${key}` : "";
  });
}

/** A legend; `entries` are [class of the colour, words, "stroke", "stroke dashed" or nothing]. */
export function showLegend(list, entries) {
  const words = entries.map(([, text]) => text).join();
  if (list.dataset.words === words) return;
  list.dataset.words = words;
  list.replaceChildren(...entries.map(([key, text, shape]) => element("li", {}, element("i", { class: `key-${key} ${shape ?? ""}`.trim(), "aria-hidden": "true" }), text)));
}
