// The star schema: tables and the keys by which their rows name rows of others, as the relationships tests say.

import { h, s, tableHead } from "./dom.js";
import { plural } from "./format.js";
import { FONT, dragged, textWidth } from "./graph.js";
import { layout } from "./layout.js";
import { route } from "./router.js";
import { colourOf, encoded, hrefOf, nodeLink, reach, site } from "./site.js";
import { foundBy } from "./tests.js";
import { TONE_OF, verdict } from "./trust.js";

const ROW = 20;
const HEAD = 30;
const MOST_ENTITIES = 30;

// The tables that hang together, the largest group first.
function groups() {
  const beside = new Map();
  for (const { from, to } of site.relationships)
    for (const [one, other] of [
      [from, to],
      [to, from],
    ])
      beside.set(one, [...(beside.get(one) || []), other]);
  const seen = new Set();
  const found = [];
  for (const node of beside.keys()) {
    if (seen.has(node)) continue;
    const group = [node, ...reach(node, (one) => beside.get(one)).keys()];
    for (const one of group) seen.add(one);
    found.push(group);
  }
  return found.sort((a, b) => b.length - a.length);
}

function drawEntities(nodes) {
  const within = new Set(nodes);
  const keys = site.relationships.filter((one) => within.has(one.from) && within.has(one.to) && one.from !== one.to);
  // Tables that hold keys stand before those whose rows these name; a circle is cut where it would close.
  const order = [];
  const state = new Map();
  const visit = (node) => {
    if (state.has(node)) return;
    state.set(node, "open");
    for (const key of keys) if (key.from === node) visit(key.to);
    order.unshift(node);
  };
  nodes.forEach(visit);
  const rank = new Map(order.map((node, at) => [node, at]));
  const forward = keys.filter((key) => rank.get(key.from) < rank.get(key.to));
  const boxes = order.map((index) => entityBox(index, keys));
  const pairs = [...new Map(forward.map((key) => [`${key.from} ${key.to}`, [key.from, key.to]])).values()];
  const laid = layout(boxes, pairs);
  const byNode = new Map(boxes.map((box) => [box.id, box]));
  const paths = keys.map((key) => keyLine(byNode.get(key.from), byNode.get(key.to), key));
  const margin = 24;
  const [width, height] = [laid.width + 2 * margin, laid.height + 2 * margin];
  const svg = s(
    "svg",
    {
      viewBox: `${laid.left - margin} ${laid.top - margin} ${width} ${height}`,
      width,
      height,
      role: "group",
      "aria-label": "Tables and their keys",
    },
    s("g", { "aria-hidden": "true" }, paths),
    boxes.map(drawEntity),
  );
  const view = h("div", { class: "canvas" }, svg);
  dragged(view);
  const settle = () => {
    const zoom = Math.max(0.62, Math.min(1, (view.clientWidth - 4) / width));
    svg.setAttribute("width", Math.round(width * zoom));
    svg.setAttribute("height", Math.round(height * zoom));
  };
  return { element: view, settle };
}

function entityBox(index, keys) {
  const node = site.nodes[index];
  const named = new Set(
    keys.flatMap((key) => [
      key.from === index && key.column.toLowerCase(),
      key.to === index && key.field.toLowerCase(),
    ]),
  );
  const isKey = (column) => named.has(column.name.toLowerCase());
  const outOf = new Set(keys.filter((key) => key.from === index).map((key) => key.column.toLowerCase()));
  const shown = node.columns
    .filter(isKey)
    .map((column) => ({ name: column.name, mark: outOf.has(column.name.toLowerCase()) ? "→" : "●" }));
  const rest = node.columns.length - shown.length;
  const names = [node.name, ...shown.map((one) => `${one.name}    `)];
  const width = Math.ceil(Math.max(150, ...names.map((name) => textWidth(name, `600 13px ${FONT}`) + 44)));
  return { id: index, node, shown, rest, width, height: HEAD + ROW * (shown.length + (rest > 0 ? 1 : 0)) + 8 };
}

const rowY = (box, column) =>
  box.y +
  HEAD +
  ROW *
    (Math.max(
      0,
      box.shown.findIndex((one) => one.name.toLowerCase() === column.toLowerCase()),
    ) +
      0.5) +
  2;

// From a key, many of which may name the same row, to that row.
function keyLine(from, to, key) {
  const isForward = from.x < to.x;
  const [startX, endX] = [isForward ? from.x + from.width : from.x, isForward ? to.x : to.x + to.width];
  const [startY, endY] = [rowY(from, key.column), rowY(to, key.field)];
  const turn = isForward ? 1 : -1;
  const middle = (startX + endX) / 2;
  const tone = TONE_OF[verdict(site.tests[key.test])];
  return s(
    "g",
    { class: `key tone-${tone}` },
    s("path", {
      d: `M${startX + 10 * turn},${startY}C${middle},${startY} ${middle},${endY} ${endX - 8 * turn},${endY}L${endX},${endY}`,
    }),
    s("path", {
      d: `M${startX},${startY - 5}L${startX + 10 * turn},${startY}L${startX},${startY + 5}M${startX},${startY}L${startX + 10 * turn},${startY}`,
    }),
    s("path", { d: `M${endX - 6 * turn},${endY - 5}v10` }),
  );
}

function drawEntity(box) {
  const { node, x, y, width, height } = box;
  const line = (at, mark, text, style) => [
    mark && s("text", { x: x + 12, y: y + HEAD + ROW * at + 16, class: "entity-mark" }, mark),
    s("text", { x: x + 28, y: y + HEAD + ROW * at + 16, class: style }, text),
  ];
  return s(
    "a",
    {
      class: `box entity ${colourOf(node)}`,
      href: hrefOf(node),
      "aria-label": `${node.name}: ${box.shown.map((one) => one.name).join(", ")}`,
    },
    s("rect", { x, y, width, height, rx: 7, class: "box-body" }),
    s("rect", { x, y, width, height: 4, rx: 2, class: "box-stripe" }),
    s("text", { x: x + 12, y: y + 21, class: "box-name" }, node.name),
    s("line", { x1: x, x2: x + width, y1: y + HEAD, y2: y + HEAD, class: "entity-rule" }),
    box.shown.map((one, at) => line(at, one.mark, one.name, "entity-column")),
    box.rest > 0 && line(box.shown.length, null, `${plural(box.rest, "more column")}`, "box-about"),
  );
}

function keysTable(nodes) {
  const within = new Set(nodes);
  const keys = site.relationships.filter((one) => within.has(one.from) && within.has(one.to));
  return h(
    "details",
    { class: "as-list" },
    h("summary", {}, `As a list: ${plural(keys.length, "key")}`),
    h(
      "table",
      { class: "rows" },
      tableHead("Key", "Names a row of", "Test"),
      h(
        "tbody",
        {},
        keys.map((key) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, nodeLink(site.nodes[key.from]), h("code", {}, `.${key.column}`)),
            h("td", {}, nodeLink(site.nodes[key.to]), h("code", {}, `.${key.field}`)),
            h("td", {}, foundBy(site.tests[key.test])),
          ),
        ),
      ),
    ),
  );
}

function showEntities(nodes, chosen) {
  const drawn = drawEntities(nodes);
  const all = [...new Set(site.relationships.flatMap(({ from, to }) => [from, to]))]
    .map((index) => site.nodes[index])
    .sort((a, b) => a.name.localeCompare(b.name));
  const choose = h(
    "select",
    {
      onchange: (event) => {
        location.hash = event.target.value;
      },
    },
    h("option", { value: "#/entities" }, "the largest group"),
    all.map((node) =>
      h("option", { value: `#/entities/${node.kind}/${encoded(node.name)}`, selected: node === chosen }, node.name),
    ),
  );
  return {
    title: "Star schema",
    isWide: true,
    shown: drawn.settle,
    content: [
      h("h1", {}, "Star schema"),
      h(
        "p",
        { class: "quiet" },
        "Drawn from the relationships tests: each line is a key, tested to name a row of the table that it leads to.",
      ),
      h(
        "div",
        { class: "explorer" },
        h("div", { class: "graph-bar" }, h("label", { class: "stepper" }, "Around", choose)),
        h("div", { class: "stage" }, drawn.element),
        keysTable(nodes),
      ),
    ],
  };
}

const besides = (index) =>
  [
    index,
    ...new Set(site.relationships.flatMap(({ from, to }) => (from === index ? [to] : to === index ? [from] : []))),
  ].filter((one, at, all) => all.indexOf(one) === at);

route("/entities", () => {
  const [largest] = groups();
  if (!largest)
    return {
      title: "Star schema",
      content: [
        h("h1", {}, "Star schema"),
        h("p", {}, "No ", h("code", {}, "relationships"), " test says which columns name rows of other tables."),
      ],
    };
  const most = largest.map((index) => [index, besides(index).length]).sort((a, b) => b[1] - a[1])[0][0];
  return showEntities(
    largest.length <= MOST_ENTITIES ? largest : besides(most).slice(0, MOST_ENTITIES),
    largest.length <= MOST_ENTITIES ? null : site.nodes[most],
  );
});

route("/entities/:kind/:name", ({ kind, name }) => {
  const node = site.byKey.get(`${kind}/${name}`);
  return node && besides(node.index).length > 1
    ? showEntities(besides(node.index).slice(0, MOST_ENTITIES), node)
    : null;
});
