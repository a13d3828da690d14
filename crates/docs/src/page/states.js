// A map of the United States as tiles: each state a square of one size near its place, so that small ones are seen too.

import { h, s } from "./dom.js";
import { count, short } from "./format.js";

// Column, row.
const STATES = {
  AK: [0, 0], ME: [11, 0],
  WI: [6, 1], VT: [10, 1], NH: [11, 1],
  WA: [1, 2], ID: [2, 2], MT: [3, 2], ND: [4, 2], MN: [5, 2], IL: [6, 2], MI: [7, 2], NY: [9, 2], MA: [10, 2],
  OR: [1, 3], NV: [2, 3], WY: [3, 3], SD: [4, 3], IA: [5, 3], IN: [6, 3], OH: [7, 3], PA: [8, 3], NJ: [9, 3], CT: [10, 3], RI: [11, 3],
  CA: [1, 4], UT: [2, 4], CO: [3, 4], NE: [4, 4], MO: [5, 4], KY: [6, 4], WV: [7, 4], VA: [8, 4], MD: [9, 4], DE: [10, 4],
  AZ: [2, 5], NM: [3, 5], KS: [4, 5], AR: [5, 5], TN: [6, 5], NC: [7, 5], SC: [8, 5], DC: [9, 5],
  OK: [4, 6], LA: [5, 6], MS: [6, 6], AL: [7, 6], GA: [8, 6],
  HI: [0, 7], TX: [4, 7], FL: [9, 7],
};

export function stateMap(one, rows) {
  const numbers = new Map(rows.map(([label, number]) => [label.toUpperCase(), number]));
  const most = Math.max(...rows.map(([, number]) => number), 0) || 1;
  const elsewhere = rows.filter(([label]) => !(label.toUpperCase() in STATES));
  // By the root, so that states of few people differ too.
  const shade = (number) => Math.round(100 * Math.sqrt(Math.max(0, number) / most));
  const tile = ([state, [column, row]]) => {
    const number = numbers.get(state);
    const shown = number === undefined ? 0 : shade(number);
    return s(
      "g",
      { class: shown > 62 ? "is-dark" : "", transform: `translate(${column * 44},${row * 44})` },
      s("title", {}, `${state}: ${number === undefined ? "no row" : count(number)}`),
      s("rect", { width: 41, height: 41, rx: 5, "fill-opacity": (0.06 + 0.0094 * shown).toFixed(3) }),
      s("text", { x: 20.5, y: 18, class: "state" }, state),
      number !== undefined && s("text", { x: 20.5, y: 32 }, short(number)),
    );
  };
  return [
    s(
      "svg",
      {
        viewBox: "0 0 525 349",
        class: "state-map",
        role: "img",
        "aria-label": `${one.title}: ${one.y} by ${one.x}, on a map of the United States`,
      },
      Object.entries(STATES).map(tile),
    ),
    elsewhere.length > 0 &&
      h(
        "p",
        { class: "quiet" },
        "Not on the map: ",
        elsewhere.map(([label, number]) => `${label} ${count(number)}`).join(", "),
      ),
  ];
}
