// Lineage: which tables come from which, around one of them or, of a project that an eye can take in, all of it.

import { h, tableHead } from "./dom.js";
import { explorer } from "./explorer.js";
import { count, plural, short } from "./format.js";
import { drawGraph } from "./graph.js";
import { inOneLine } from "./markdown.js";
import { route } from "./router.js";
import { colourOf, encoded, hrefOf, isStreaming, kindOf, nodeLink, reach, site } from "./site.js";
import { standing, table } from "./trust.js";

// The project's nodes as a web.
export const nodeWeb = { before: (id) => site.nodes[id].parents, after: (id) => site.nodes[id].children };

function describeNode(id, linkOf = hrefOf) {
  const node = site.nodes[id];
  const held = table(node);
  const about = [kindOf(node), held && `${short(held.rows)} ${held.rows === 1 ? "row" : "rows"}`]
    .filter(Boolean)
    .join(" · ");
  const { tone, words } = standing(node);
  return {
    name: node.name,
    about,
    colour: colourOf(node),
    href: linkOf(node),
    isBroken: tone === "bad",
    label: `${node.name}, ${about}, ${words}; reads ${count(node.parents.length)}, read by ${count(node.children.length)}`,
  };
}

// What goes with the events is told from what waits for the night.
export const speedOf = (from, to) => (isStreaming(site.nodes[from]) || isStreaming(site.nodes[to]) ? "is-stream" : "");

const LEGEND = [
  ["source", "source"],
  ["seed", "seed"],
  ["view", "view"],
  ["ephemeral", "ephemeral"],
  ["table", "table"],
  ["incremental", "incremental"],
  ["streaming", "streaming"],
  ["exposure", "exposure"],
];

export function legend(nodes) {
  const used = new Set(nodes.map((node) => node.materialized || node.kind));
  const kinds = LEGEND.filter(([kind]) => used.has(kind)).map(([kind, words]) =>
    h("span", {}, h("span", { class: `dot is-${kind}` }), words),
  );
  const stream = used.has("streaming") && h("span", {}, h("span", { class: "line is-stream" }), "goes with the events");
  const batch = used.has("streaming") && h("span", {}, h("span", { class: "line" }), "waits for the run");
  return h("p", { class: "legend" }, kinds, batch, stream);
}

export function nodeExplorer(node, options = {}) {
  return explorer({
    web: nodeWeb,
    centre: node.index,
    label: `Lineage of ${node.name}`,
    describe: (id) => describeNode(id, options.linkOf),
    styleOf: speedOf,
    ...options,
  });
}

export const lineageHref = (node) => `#/lineage/${node.kind}/${encoded(node.name)}`;

route("/lineage/:kind/:name", ({ kind, name }) => {
  const node = site.byKey.get(`${kind}/${name}`);
  if (!node) return null;
  const drawn = nodeExplorer(node, { linkOf: lineageHref, tall: true, depth: { before: 3, after: 3 } });
  return {
    title: `Lineage of ${node.name}`,
    isWide: true,
    shown: drawn.settle,
    content: [
      h("h1", {}, "Lineage of ", nodeLink(node)),
      node.description && h("p", { class: "quiet" }, inOneLine(node.description)),
      drawn.element,
      legend(site.nodes),
    ],
  };
});

// Of a project that an eye can take in, all of it; else where to begin.
export const AN_EYEFUL = 90;

route("/lineage", () => {
  if (site.nodes.length <= AN_EYEFUL) return wholeLineage();
  const used = site.nodes
    .map((node) => [node, reach(node.index, nodeWeb.after).size])
    .sort((a, b) => b[1] - a[1])
    .slice(0, 25);
  return {
    title: "Lineage",
    content: [
      h("h1", {}, "Lineage"),
      h(
        "p",
        {},
        `${plural(site.nodes.length, "node")} are too many for one picture. Begin at one of them, by search or in the list of tables; these have the most below them:`,
      ),
      h(
        "table",
        { class: "rows" },
        tableHead("Table", ["Reached from it", "number"], "What it is"),
        h(
          "tbody",
          {},
          used.map(([node, below]) =>
            h(
              "tr",
              {},
              h("td", {}, h("a", { href: lineageHref(node) }, node.name)),
              h("td", { class: "number" }, count(below)),
              h("td", { class: "quiet" }, inOneLine(node.description)),
            ),
          ),
        ),
      ),
    ],
  };
});

function wholeLineage() {
  const linked = site.nodes.filter((node) => node.parents.length + node.children.length > 0);
  const items = linked.map((node) => ({ id: node.index, ...describeNode(node.index, lineageHref) }));
  const edges = linked.flatMap((node) =>
    node.parents.map((from) => ({ from, to: node.index, style: speedOf(from, node.index) })),
  );
  const graph =
    items.length > 0
      ? drawGraph({ items, edges, label: `Lineage of ${site.project}`, tall: true, more: () => {} })
      : null;
  const button = (words, name, act) =>
    h("button", { type: "button", class: "small", "aria-label": name, onclick: act }, words);
  const bar =
    graph &&
    h(
      "div",
      { class: "graph-bar" },
      h("span", { class: "quiet" }, "Choose a table to see its neighbourhood."),
      h("span", { class: "gap" }),
      button("−", "Zoom out", graph.farther),
      button("+", "Zoom in", graph.closer),
      button("Fit", "Fit the graph to the page", graph.fit),
    );
  const list = h(
    "details",
    { class: "as-list" },
    h("summary", {}, "As a list"),
    h(
      "ul",
      {},
      linked.map((node) =>
        h(
          "li",
          {},
          h("a", { href: lineageHref(node) }, node.name),
          node.parents.length > 0 &&
            h("span", { class: "quiet" }, " reads ", node.parents.map((parent) => site.nodes[parent].name).join(", ")),
        ),
      ),
    ),
  );
  return {
    title: "Lineage",
    isWide: true,
    shown: graph && graph.settle,
    content: [
      h("h1", {}, "Lineage"),
      graph
        ? h("div", { class: "explorer" }, bar, h("div", { class: "stage" }, graph.element), list)
        : h("p", { class: "quiet" }, "Nothing reads anything yet."),
      legend(site.nodes),
    ],
  };
}
