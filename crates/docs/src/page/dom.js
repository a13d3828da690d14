// Making elements. Texts become text nodes and nothing else, so that no text of the project is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

// Gives an element properties and children; `on…` are listeners, and null, undefined and false stand for nothing.
export function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...[children].flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

// An element of HTML: h("a", { href, onclick }, "text", another).
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

// An element of SVG.
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

// The head of a table: each column's name, alone or with its class; null for a column without one.
export const tableHead = (...columns) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      columns.map((column) => {
        if (column === null) return h("td", {});
        const [name, style] = [column].flat();
        return h("th", { scope: "col", class: style }, name);
      }),
    ),
  );

export const byId = (id) => document.getElementById(id);

// Tells readers of the screen what has changed elsewhere on the page.
export const announce = (text) => {
  byId("said").textContent = text;
};
