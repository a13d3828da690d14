// The SQL of a model as it is written and as it is executed, side by side.

import { announce, h } from "./dom.js";
import { highlighted } from "./highlight.js";

export function pane(title, sql) {
  const copy = h(
    "button",
    {
      type: "button",
      class: "small",
      "aria-label": `Copy the SQL ${title.toLowerCase()}`,
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(sql);
          announce("copied");
          copy.textContent = "Copied";
        } catch {
          copy.textContent = "Cannot copy";
        }
        setTimeout(() => {
          copy.textContent = "Copy";
        }, 1500);
      },
    },
    "Copy",
  );
  return h(
    "div",
    { class: "pane" },
    h("div", { class: "pane-bar" }, h("h3", {}, title), copy),
    h("pre", { tabindex: 0, "aria-label": `SQL ${title.toLowerCase()}` }, h("code", {}, highlighted(sql))),
  );
}

export function sqlSection(node) {
  if (!node.source) return null;
  const panes = [pane("As written", node.source), node.compiled && pane("As executed", node.compiled)];
  return h(
    "section",
    { "aria-labelledby": "sql" },
    h("h2", { id: "sql" }, "SQL"),
    h("div", { class: `panes${node.compiled ? "" : " is-one"}` }, panes),
  );
}
