// The list of tables by folder. A folder's tables are listed once it is opened, so that a large project opens quickly.

import { byId, h } from "./dom.js";
import { count } from "./format.js";
import { decoded, place } from "./router.js";
import { colourOf, hrefOf, site } from "./site.js";
import { standing } from "./trust.js";

function sidebarItem(node) {
  const { tone } = standing(node);
  return h(
    "li",
    {},
    h(
      "a",
      { href: hrefOf(node), "data-below": `${hrefOf(node).slice(1)}/` },
      h("span", { class: `dot ${colourOf(node)}` }),
      h("span", { class: "item-name" }, node.kind === "source" ? node.name.split(".").slice(1).join(".") : node.name),
      tone === "bad" && h("span", { class: "mark tone-bad", role: "img", "aria-label": "needs a look" }, "!"),
    ),
  );
}

function sidebarGroup(title, nodes, isOpen) {
  const list = h("ul", {});
  const fill = () => {
    if (list.childElementCount === 0) list.append(...nodes.map(sidebarItem));
  };
  if (isOpen) fill();
  const bad = nodes.filter((node) => standing(node).tone === "bad").length;
  const details = h(
    "details",
    { open: isOpen, ontoggle: fill },
    h(
      "summary",
      {},
      h("span", { class: "item-name" }, title),
      bad > 0 && h("span", { class: "mark tone-bad", title: `${count(bad)} need a look` }, count(bad)),
      h("span", { class: "quiet" }, count(nodes.length)),
    ),
    list,
  );
  return { details, nodes, fill };
}

const FEW = 60;

export function drawSidebar() {
  const byTitle = new Map();
  const add = (title, node) => byTitle.set(title, [...(byTitle.get(title) || []), node]);
  for (const node of site.nodes)
    add(
      node.kind === "source"
        ? `source ${node.folders[0]}`
        : node.kind === "seed"
          ? "seeds"
          : node.kind === "exposure"
            ? "exposures"
            : node.folders.join(" / ") || "models",
      node,
    );
  for (const nodes of byTitle.values()) nodes.sort((a, b) => a.name.localeCompare(b.name));
  // Folders stand in the order of the way of the data: sources first, what reads them after.
  const middle = (nodes) => nodes.reduce((sum, node) => sum + node.index, 0) / nodes.length;
  const inOrder = [...byTitle].sort((a, b) => middle(a[1]) - middle(b[1]));
  const groups = inOrder.map(([title, nodes]) => sidebarGroup(title, nodes, site.nodes.length <= FEW));
  byId("sidebar").replaceChildren(...groups.map((group) => group.details));
  const reveal = () => {
    const node = site.byKey.get(decoded(place().split("/").slice(1, 3).join("/")));
    const group = node && groups.find((one) => one.nodes.includes(node));
    if (!group) return;
    group.fill();
    group.details.open = true;
    const link =
      group.details.querySelector(`a[href="${CSS.escape(hrefOf(node))}"]`) ||
      [...group.details.querySelectorAll("a")].find((one) => one.getAttribute("href") === hrefOf(node));
    if (link) {
      const [top, bar] = [link.offsetTop, byId("sidebar")];
      if (top < bar.scrollTop || top > bar.scrollTop + bar.clientHeight - 40)
        bar.scrollTop = top - bar.clientHeight / 3;
    }
  };
  window.addEventListener("hashchange", reveal);
  reveal();
  const menu = byId("menu");
  const open = (isOpen) => {
    document.body.classList.toggle("is-menu-open", isOpen);
    menu.setAttribute("aria-expanded", String(isOpen));
  };
  menu.addEventListener("click", () => open(menu.getAttribute("aria-expanded") !== "true"));
  window.addEventListener("hashchange", () => open(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.getAttribute("aria-expanded") === "true") {
      open(false);
      menu.focus();
    }
  });
}
