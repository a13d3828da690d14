// Permanent links: #/model/name/column/x names a view and what it shows.

import { byId, fill, h } from "./dom.js";
import { site } from "./site.js";

const ROUTES = [];

// Adds a view: `pattern` as /lineage/:kind/:name; `show` gives its title and its elements.
export function route(pattern, show) {
  const names = [...pattern.matchAll(/:(\w+)/g)].map((found) => found[1]);
  ROUTES.push({ matches: new RegExp(`^${pattern.replace(/:\w+/g, "([^/]+)")}$`), names, show });
}

export const place = () => location.hash.replace(/^#/, "").split("?")[0] || "/";

export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function viewOf(path) {
  for (const { matches, names, show } of ROUTES) {
    const found = matches.exec(path);
    const view = found && show(Object.fromEntries(names.map((name, index) => [name, decoded(found[index + 1])])));
    if (view) return view;
  }
  return {
    title: "Not found",
    content: [
      h("h1", {}, "Not found"),
      h(
        "p",
        {},
        "Nothing in these docs has this address: ",
        h("code", {}, decoded(path)),
        ". It may have been renamed; search for it, or go to the ",
        h("a", { href: "#/" }, "overview"),
        ".",
      ),
    ],
  };
}

let shownPath = null;

function showPlace() {
  const path = place();
  const isNew = path !== shownPath;
  const view = viewOf(path);
  const main = byId("main");
  document.title = view.title === site.project ? site.project : `${view.title} · ${site.project}`;
  main.replaceChildren();
  fill(main, {}, view.content);
  main.classList.toggle("is-wide", Boolean(view.isWide));
  for (const link of document.querySelectorAll("nav a")) {
    const isHere =
      link.getAttribute("href") === `#${path}` || (link.dataset.below && path.startsWith(link.dataset.below));
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (view.shown) view.shown();
  if (isNew && shownPath !== null) {
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  shownPath = path;
}

export function startRouter() {
  window.addEventListener("hashchange", showPlace);
  showPlace();
}
