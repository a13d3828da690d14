// The neighbourhood of one thing in a web of things, as a graph and as a list. Of a large web, only what is near is drawn;
// handles and the two depths show more. Knows nothing of what the things are.

import { announce, h } from "./dom.js";
import { count, plural } from "./format.js";
import { drawGraph } from "./graph.js";
import { reach } from "./site.js";

const AT_ONCE = 12;
const MOST_BOXES = 160;
export const ALL = 99;

// What is shown around `centre`: `web` has before(id) and after(id); `opened` says how often a handle was used.
function neighbourhood(web, centre, depths, opened) {
  const shown = new Set([centre]);
  const add = (id, side, room) => {
    const added = [];
    for (const other of web[side](id)) {
      if (shown.has(other)) continue;
      if (added.length >= room || shown.size >= MOST_BOXES) break;
      shown.add(other);
      added.push(other);
    }
    return added;
  };
  const times = (id, side) => opened.get(`${side} ${id}`) || 0;
  for (const side of ["before", "after"]) {
    let edge = [centre];
    for (let step = 0; step < depths[side] && edge.length > 0; step += 1)
      edge = edge.flatMap((id) => add(id, side, AT_ONCE));
  }
  for (const id of shown)
    for (const side of ["before", "after"]) if (times(id, side) > 0) add(id, side, AT_ONCE * times(id, side));
  return [...shown].sort((a, b) => a - b);
}

// The element with the graph, its controls and its list. `describe(id)` says how one is shown.
export function explorer({ web, centre, describe, label, depth = { before: 2, after: 2 }, tall = false, styleOf = () => "" }) {
  const depths = { ...depth };
  const opened = new Map();
  const stage = h("div", { class: "stage" });
  const list = h("details", { class: "as-list" });
  const controls = {};
  let graph = null;
  const draw = () => {
    const ids = neighbourhood(web, centre, depths, opened);
    const shown = new Set(ids);
    const hidden = (id, side) => web[side](id).filter((other) => !shown.has(other)).length;
    const items = ids.map((id) => ({
      id,
      ...describe(id),
      isChosen: id === centre,
      more: { before: hidden(id, "before"), after: hidden(id, "after") },
    }));
    const edges = ids.flatMap((id) =>
      web
        .before(id)
        .filter((from) => shown.has(from))
        .map((from) => ({ from, to: id, style: styleOf(from, id) })),
    );
    graph = drawGraph({
      items,
      edges,
      label,
      tall,
      more: (id, side) => {
        opened.set(`${side} ${id}`, (opened.get(`${side} ${id}`) || 0) + 1);
        const before = shown.size;
        draw();
        announce(`${plural(stage.querySelectorAll(".box").length - before, "box")} more`.replace("boxs", "boxes"));
        const again = stage.querySelector(`[data-id="${id}"]`);
        if (again) again.focus();
      },
    });
    stage.replaceChildren(graph.element);
    if (stage.isConnected) graph.settle();
    list.replaceChildren(h("summary", {}, "As a list"), ...asList(web, centre, depths, describe));
    for (const side of ["before", "after"]) controls[side].value = String(depths[side]);
  };
  const stepper = (side, words) => {
    const choose = h(
      "select",
      {
        onchange: (event) => {
          depths[side] = Number(event.target.value);
          draw();
        },
      },
      [0, 1, 2, 3, 4, 6, ALL].map((steps) => h("option", { value: steps }, steps === ALL ? "all" : steps)),
    );
    controls[side] = choose;
    return h("label", { class: "stepper" }, words, choose);
  };
  const button = (words, name, act) =>
    h("button", { type: "button", class: "small", "aria-label": name, onclick: () => act() }, words);
  const bar = h(
    "div",
    { class: "graph-bar" },
    stepper("before", "Upstream"),
    stepper("after", "Downstream"),
    h("span", { class: "gap" }),
    button("−", "Zoom out", () => graph.farther()),
    button("+", "Zoom in", () => graph.closer()),
    button("Fit", "Fit the graph to the page", () => graph.fit()),
  );
  draw();
  return { element: h("div", { class: "explorer" }, bar, stage, list), settle: () => graph.settle() };
}

function asList(web, centre, depths, describe) {
  const side = (name, title) => {
    const steps = [...reach(centre, web[name], depths[name])];
    if (steps.length === 0) return h("div", {}, h("h4", {}, title), h("p", { class: "quiet" }, "Nothing."));
    const groups = new Map();
    for (const [id, step] of steps) groups.set(step, [...(groups.get(step) || []), id]);
    return h(
      "div",
      {},
      h("h4", {}, `${title} (${count(steps.length)})`),
      [...groups].map(([step, ids]) => [
        h("h5", {}, step === 1 ? "directly" : `over ${step} steps`),
        h(
          "ul",
          {},
          ids.slice(0, 200).map((id) => {
            const one = describe(id);
            return h("li", {}, h("a", { href: one.href }, one.name), h("span", { class: "quiet" }, ` ${one.about}`));
          }),
          ids.length > 200 && h("li", { class: "quiet" }, `and ${count(ids.length - 200)} more`),
        ),
      ]),
    );
  };
  return [h("div", { class: "sides" }, side("before", "Upstream"), side("after", "Downstream"))];
}
