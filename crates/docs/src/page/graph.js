// A graph on the page: boxes that are links, edges, and handles that show more. It scrolls and zooms, and the arrow keys
// go from box to box along the edges.

import { h, s } from "./dom.js";
import { curve, layout } from "./layout.js";

const BOX_HEIGHT = 42;
const MARGIN = 34;
const measure = document.createElement("canvas").getContext("2d");

export function textWidth(text, font) {
  measure.font = font;
  return measure.measureText(text).width;
}

export const FONT = "ui-sans-serif, system-ui, sans-serif";

function shortened(text, most) {
  if (textWidth(text, `600 13px ${FONT}`) <= most) return text;
  let kept = text.length;
  while (kept > 4 && textWidth(`${text.slice(0, kept)}…`, `600 13px ${FONT}`) > most) kept -= 1;
  return `${text.slice(0, kept)}…`;
}

// `items` are {id, name, about, colour, href, label, isChosen, more: {before, after}}; `edges` {from, to, style};
// `more(id, side)` is called when a handle is used. Gives the element to put on the page.
export function drawGraph({ items, edges, label, more, tall }) {
  const boxes = items.map((item) => {
    const width = Math.min(
      250,
      Math.max(118, 34 + Math.max(textWidth(item.name, `600 13px ${FONT}`), textWidth(item.about, `11px ${FONT}`))),
    );
    return { id: item.id, item, width: Math.ceil(width), height: BOX_HEIGHT };
  });
  const laid = layout(
    boxes,
    edges.map(({ from, to }) => [from, to]),
  );
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const paths = laid.edges.map((edge, at) =>
    s("path", { class: `edge ${edges[at].style || ""}`, d: curve(edge.points), "marker-end": "url(#arrow)" }),
  );
  const links = boxes.map((box) => drawBox(box, more));
  const [width, height] = [laid.width + 2 * MARGIN, laid.height + 2 * MARGIN];
  const svg = s(
    "svg",
    { viewBox: `${laid.left - MARGIN} ${laid.top - MARGIN} ${width} ${height}`, role: "group", "aria-label": label },
    s(
      "defs",
      {},
      s(
        "marker",
        { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
        s("path", { d: "M0 0.5L7 4L0 7.5", class: "arrow" }),
      ),
    ),
    s("g", { "aria-hidden": "true" }, paths),
    links,
  );
  const view = h("div", { class: `canvas${tall ? " is-tall" : ""}` }, svg);
  svg.addEventListener("keydown", (event) => walk(event, boxes, edges, byId));
  for (const [box, link] of boxes.map((box, at) => [box, links[at]])) {
    const isOf = (at) => edges[at].from === box.id || edges[at].to === box.id;
    const mark = (on) => {
      for (const [at, path] of paths.entries()) path.classList.toggle("is-lit", on && isOf(at));
    };
    for (const name of ["mouseenter", "focusin"]) link.addEventListener(name, () => mark(true));
    for (const name of ["mouseleave", "focusout"]) link.addEventListener(name, () => mark(false));
  }
  dragged(view);
  const scale = { zoom: 1 };
  const zoom = (to) => {
    scale.zoom = Math.min(1.6, Math.max(0.2, to));
    svg.setAttribute("width", Math.round(width * scale.zoom));
    svg.setAttribute("height", Math.round(height * scale.zoom));
  };
  const fit = () => zoom(Math.min(1, (view.clientWidth - 4) / width, tall ? (view.clientHeight - 4) / height : 1));
  // Called once the element is on the page, where its size is known.
  const settle = () => {
    fit();
    // Names stay readable, also where the window is narrow.
    zoom(Math.max(scale.zoom, view.clientWidth < 500 ? 0.88 : 0.72));
    const chosen = boxes.find((box) => box.item.isChosen);
    if (chosen) {
      view.scrollLeft = (chosen.x + chosen.width / 2 - laid.left + MARGIN) * scale.zoom - view.clientWidth / 2;
      view.scrollTop = (chosen.y + chosen.height / 2 - laid.top + MARGIN) * scale.zoom - view.clientHeight / 2;
    }
  };
  return { element: view, settle, fit, closer: () => zoom(scale.zoom * 1.2), farther: () => zoom(scale.zoom / 1.2) };
}

function drawBox(box, more) {
  const { item, x, y, width, height } = box;
  const style = ["box", item.colour, item.isChosen && "is-chosen", item.isBroken && "is-broken"]
    .filter(Boolean)
    .join(" ");
  const link = s(
    "a",
    {
      class: style,
      href: item.href,
      "aria-label": item.label,
      "data-id": item.id,
      ...(item.isChosen ? { "aria-current": "true" } : {}),
    },
    s("title", {}, item.label),
    s("rect", { x, y, width, height, rx: 7, class: "box-body" }),
    s("rect", { x: x + 6, y: y + 9, width: 4, height: height - 18, rx: 2, class: "box-stripe" }),
    s("text", { x: x + 18, y: y + 18, class: "box-name" }, shortened(item.name, width - 30)),
    s("text", { x: x + 18, y: y + 33, class: "box-about" }, item.about),
  );
  const handle = (side, number, atX) => number > 0 && moreHandle(item, side, number, atX, y + height / 2, more);
  const before = item.more && handle("before", item.more.before, x);
  const after = item.more && handle("after", item.more.after, x + width);
  return s("g", { class: "box-group" }, link, before, after);
}

function moreHandle(item, side, number, x, y, more) {
  const label = `Show ${number} more ${side === "before" ? "that" : "that read"} ${item.name}${side === "before" ? " reads" : ""}`;
  const text = `+${number}`;
  const width = 14 + text.length * 6.5;
  const left = side === "before" ? x - width - 3 : x + 3;
  const use = (event) => {
    event.preventDefault();
    more(item.id, side);
  };
  return s(
    "g",
    {
      class: "more",
      role: "button",
      tabindex: 0,
      "aria-label": label,
      onclick: use,
      onkeydown: (event) => (event.key === "Enter" || event.key === " ") && use(event),
    },
    s("title", {}, label),
    s("rect", { x: left, y: y - 9, width, height: 18, rx: 9 }),
    s("text", { x: left + width / 2, y: y + 4, "text-anchor": "middle" }, text),
  );
}

const KEYS = { ArrowLeft: "before", ArrowRight: "after", ArrowUp: "above", ArrowDown: "below" };

// From the box with the focus to the nearest one in the direction of the key.
function walk(event, boxes, edges, byId) {
  const link = event.target.closest("[data-id]");
  const direction = KEYS[event.key];
  if (!link || !direction) return;
  event.preventDefault();
  const here = byId.get(Number(link.dataset.id));
  const along = {
    before: () => edges.filter((edge) => edge.to === here.id).map((edge) => byId.get(edge.from)),
    after: () => edges.filter((edge) => edge.from === here.id).map((edge) => byId.get(edge.to)),
    above: () => boxes.filter((box) => box.layer === here.layer && box.y < here.y),
    below: () => boxes.filter((box) => box.layer === here.layer && box.y > here.y),
  }[direction]();
  along.sort((a, b) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y));
  const next = along[0] && event.currentTarget.querySelector(`[data-id="${along[0].id}"]`);
  if (next) {
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

// The canvas follows a pointer that is held down on its ground.
export function dragged(view) {
  view.addEventListener("pointerdown", (down) => {
    if (down.pointerType !== "mouse" || down.button !== 0 || down.target.closest("a, .more")) return;
    const from = { x: down.clientX + view.scrollLeft, y: down.clientY + view.scrollTop };
    const move = (event) => {
      view.scrollLeft = from.x - event.clientX;
      view.scrollTop = from.y - event.clientY;
    };
    const end = () => {
      view.classList.remove("is-dragged");
      window.removeEventListener("pointermove", move);
    };
    view.classList.add("is-dragged");
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end, { once: true });
  });
}
