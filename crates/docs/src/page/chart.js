// A chart of labels and numbers: bars where they are ranked, a line where they follow one another, a map where they are
// states. Its numbers stand below it as a table too.

import { h, s, tableHead } from "./dom.js";
import { count, short } from "./format.js";
import { encoded } from "./site.js";
import { stateMap } from "./states.js";

const MOST_BARS = 24;

export function chart(one) {
  const rows = one.drawn.rows;
  const drawing = !rows
    ? h("p", { class: "message" }, one.drawn.failed)
    : rows.length === 0
      ? h("p", { class: "quiet" }, "The query gives no rows.")
      : DRAWN_AS[one.type](one, rows);
  return h(
    "figure",
    { class: `chart is-${one.type}` },
    h("figcaption", {}, one.title),
    drawing,
    rows && rows.length > 0 && numbers(one, rows),
  );
}

function barChart(one, rows) {
  const most = Math.max(...rows.map(([, number]) => number), 0) || 1;
  return [
    h(
      "ol",
      { class: "bars", "aria-hidden": "true" },
      rows
        .slice(0, MOST_BARS)
        .map(([label, number]) =>
          h(
            "li",
            {},
            h("span", { class: "bar-label", title: label }, label),
            h(
              "span",
              { class: "bar-track" },
              h("span", { class: "bar", style: { width: `${Math.max(0.5, (100 * number) / most)}%` } }),
            ),
            h("span", { class: "bar-number" }, short(number)),
          ),
        ),
    ),
    rows.length > MOST_BARS && h("p", { class: "quiet" }, `and ${count(rows.length - MOST_BARS)} more`),
  ];
}

// The steps of an axis from 0 to `most`: about four round numbers.
function steps(most) {
  const rough = most / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, at) => at * step);
}

function lineChart(one, rows) {
  const [width, height, left, bottom, top, right] = [440, 180, 40, 26, 10, 12];
  const marks = steps(Math.max(...rows.map(([, number]) => number), 0));
  const most = marks[marks.length - 1] || 1;
  const x = (at) => left + ((width - left - right) * at) / Math.max(1, rows.length - 1);
  const y = (number) => height - bottom - ((height - bottom - top) * number) / most;
  const line = rows
    .map(([, number], at) => `${at === 0 ? "M" : "L"}${x(at).toFixed(1)},${y(number).toFixed(1)}`)
    .join("");
  const labels = [0, Math.floor((rows.length - 1) / 2), rows.length - 1].filter(
    (at, index, all) => all.indexOf(at) === index,
  );
  const anchors = ["start", "middle", "end"];
  return s(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      class: "line-chart",
      role: "img",
      "aria-label": `${one.title}: ${one.y} by ${one.x}, from ${rows[0][0]} to ${rows[rows.length - 1][0]}`,
    },
    marks.map((mark) => [
      s("line", { x1: left, x2: width - right, y1: y(mark), y2: y(mark), class: "rule" }),
      s("text", { x: left - 7, y: y(mark) + 4, "text-anchor": "end" }, short(mark)),
    ]),
    s("path", { d: `${line}L${x(rows.length - 1).toFixed(1)},${y(0)}L${x(0)},${y(0)}Z`, class: "area" }),
    s("path", { d: line, class: "line" }),
    rows.length <= 62 &&
      rows.map(([label, number], at) =>
        s("circle", { cx: x(at), cy: y(number), r: 2.6 }, s("title", {}, `${label}: ${count(number)}`)),
      ),
    labels.map((at, index) =>
      s(
        "text",
        {
          x: x(at),
          y: height - 7,
          "text-anchor": labels.length === 1 ? "start" : anchors[index === labels.length - 1 ? 2 : index],
        },
        rows[at][0],
      ),
    ),
  );
}

function numbers(one, rows) {
  return h(
    "details",
    {},
    h("summary", {}, "Numbers"),
    h(
      "div",
      { class: "wide is-low", tabindex: 0 },
      h(
        "table",
        { class: "rows" },
        tableHead(one.x, [one.y, "number"]),
        h(
          "tbody",
          {},
          rows.map(([label, number]) =>
            h("tr", {}, h("th", { scope: "row" }, label), h("td", { class: "number" }, count(number))),
          ),
        ),
      ),
    ),
  );
}

const DRAWN_AS = { line: lineChart, bar: barChart, us_states: stateMap };

export const dashboardHref = (node) => `#/charts/${encoded(node.name)}`;
