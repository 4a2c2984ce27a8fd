// The colours of the style sheet, for the charts: one set of colours, light or dark as the person has it.

const dark = matchMedia("(prefers-color-scheme: dark)");

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export const onThemeChange = (then) => dark.addEventListener("change", then);

/** How often a chart may be drawn, in ms. */
export const pace = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 5000 : 500);
