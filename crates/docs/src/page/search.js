// Search over names, columns, tests and descriptions. Every word must be found; a name counts more than a column, a
// column more than a description, a beginning more than a middle.

import { announce, byId, h } from "./dom.js";
import { plural } from "./format.js";
import { inOneLine } from "./markdown.js";
import { colourOf, hrefOf, hrefOfColumn, hrefOfTest, kindOf, site } from "./site.js";

const MOST_HITS = 30;
let searched = null;

function searchIndex() {
  const entry = (kind, name, about, href, weight, colour) => ({
    kind,
    name,
    about,
    href,
    weight,
    colour,
    inName: name.toLowerCase(),
    inAbout: about.toLowerCase(),
  });
  const entries = [];
  for (const node of site.nodes) {
    entries.push(
      entry(
        kindOf(node),
        node.name,
        [node.description || "", ...(node.tags || [])].join(" "),
        hrefOf(node),
        40,
        colourOf(node),
      ),
    );
    for (const column of node.columns)
      entries.push(
        entry(
          `column of ${node.name}`,
          column.name,
          column.description || "",
          hrefOfColumn(column),
          15,
          colourOf(node),
        ),
      );
  }
  for (const test of site.tests)
    if (!test.test) entries.push(entry("test", test.name, test.description || "", hrefOfTest(test), 10, "is-test"));
  return entries;
}

function score(entry, words) {
  let sum = entry.weight;
  for (const word of words) {
    const at = entry.inName.indexOf(word);
    if (entry.inName === word) sum += 100;
    else if (at === 0) sum += 60;
    else if (at > 0 && /[_. ]/.test(entry.inName[at - 1])) sum += 40;
    else if (at > 0) sum += 25;
    else if (entry.inAbout.includes(word)) sum += 8;
    else return 0;
  }
  return sum - entry.name.length / 100;
}

function find(query) {
  searched = searched || searchIndex();
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const scored = searched.map((entry) => [score(entry, words), entry]).filter(([points]) => points > 0);
  return scored
    .sort((a, b) => b[0] - a[0])
    .slice(0, MOST_HITS)
    .map(([, entry]) => entry);
}

export function startSearch() {
  const [input, list] = [byId("query"), byId("hits")];
  let hits = [];
  let chosen = -1;
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  };
  const choose = (next) => {
    if (list.children[chosen]) list.children[chosen].setAttribute("aria-selected", "false");
    chosen = hits.length > 0 ? (next + hits.length) % hits.length : -1;
    const option = list.children[chosen];
    if (!option) return;
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  };
  const go = (hit) => {
    close();
    input.value = "";
    input.blur();
    location.hash = hit.href;
  };
  const update = () => {
    hits = find(input.value);
    if (!input.value.trim()) return close();
    list.replaceChildren(
      ...hits.map((hit, at) =>
        h(
          "li",
          {
            id: `hit-${at}`,
            role: "option",
            "aria-selected": "false",
            onmousedown: (event) => {
              event.preventDefault();
              go(hit);
            },
          },
          h("span", { class: `dot ${hit.colour}` }),
          h("span", { class: "hit-name" }, hit.name),
          h("span", { class: "hit-kind" }, hit.kind),
          hit.about && h("span", { class: "hit-about" }, inOneLine(hit.about)),
        ),
      ),
    );
    if (hits.length === 0)
      list.append(h("li", { class: "quiet", role: "presentation" }, "Nothing is called so or described so."));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    announce(plural(hits.length, "result"));
    chosen = -1;
    return choose(0);
  };
  input.addEventListener("input", update);
  input.addEventListener("focus", () => input.value && update());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const act = {
      ArrowDown: () => choose(chosen + 1),
      ArrowUp: () => choose(chosen - 1),
      Enter: () => hits[chosen] && go(hits[chosen]),
      Escape: () => (list.hidden ? input.blur() : close()),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest && event.target.closest("input, select, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      input.focus();
    }
  });
}
