// BokehJS makes <style> elements. The page's security policy forbids those, as it should: it allows style sheets that are
// files or that a script has made. So each becomes a sheet that a script has made (a "constructed" one), adopted by the
// same root. This is a classic script on purpose: it runs before BokehJS puts its first element onto the page.
"use strict";
{
  const dom = Bokeh.require("core/dom");

  function adopt(root, sheet) {
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  }

  function discard(root, sheet) {
    root.adoptedStyleSheets = root.adoptedStyleSheets.filter((each) => each !== sheet);
  }

  const sheets = new WeakMap(); // of Bokeh's own style sheet objects
  const roots = new WeakMap();

  function sheetOf(owner) {
    if (!sheets.has(owner)) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(owner.el.textContent); // its element is never put anywhere, and only holds the text
      sheets.set(owner, sheet);
    }
    return sheets.get(owner);
  }

  const inline = dom.InlineStyleSheet.prototype;
  const update = inline._update;
  inline._update = function (css) {
    update.call(this, css);
    sheets.get(this)?.replaceSync(css);
  };
  inline.install = function (el) {
    roots.set(this, el);
    adopt(el, sheetOf(this));
  };
  inline.uninstall = inline.remove = function () {
    const root = roots.get(this);
    if (root !== undefined) discard(root, sheetOf(this));
  };
  dom.GlobalInlineStyleSheet.prototype.install = function () {
    inline.install.call(this, document);
  };

  // Elements that BokehJS has made while it was loaded wait for the page to be complete, with their <style> elements.
  document.body.append = function (...nodes) {
    for (const root of nodes.map((each) => each.shadowRoot).filter(Boolean)) {
      for (const style of root.querySelectorAll("style")) {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(style.textContent);
        adopt(root, sheet);
        style.remove();
      }
    }
    Element.prototype.append.apply(this, nodes);
  };
}
