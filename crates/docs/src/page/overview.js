// The first page: how the project stands, what needs a look, and where to begin.

import { h, tableHead } from "./dom.js";
import { count, moment, plural, seconds, short } from "./format.js";
import { AN_EYEFUL } from "./lineage.js";
import { inOneLine } from "./markdown.js";
import { route } from "./router.js";
import { isStreaming, nodeLink, site } from "./site.js";
import { badge, latestDay, publishedAt, rejectedRows, standing, table, verdicts } from "./trust.js";

function tile(number, words, tone, href) {
  const content = [h("span", { class: "tile-number" }, number), h("span", { class: "tile-words" }, words)];
  return href
    ? h("a", { class: `tile tone-${tone}`, href }, content)
    : h("div", { class: `tile tone-${tone}` }, content);
}

// What needs a look, by the words that say why, the worst first.
function concerns() {
  const found = new Map();
  const add = (node, tone, words) => {
    if (!found.has(words)) found.set(words, { tone, words, nodes: [] });
    found.get(words).nodes.push(node);
  };
  for (const node of site.nodes) {
    const { tone, words } = standing(node);
    if (tone === "bad" || tone === "warn") add(node, tone, words);
    const rejected = rejectedRows(node);
    if (rejected > 0)
      add(node, "warn", `${plural(rejected, "row")} could not be read and ${rejected === 1 ? "was" : "were"} rejected`);
  }
  return [...found.values()].sort((a, b) => (a.tone === b.tone ? 0 : a.tone === "bad" ? -1 : 1));
}

const AT_A_GLANCE = 6;
const MOST_NAMES = 500;

function concernsSection() {
  const all = concerns();
  if (all.length === 0) return null;
  const names = (nodes) => nodes.slice(0, MOST_NAMES).map((node) => h("li", {}, nodeLink(node)));
  const rest = (nodes) =>
    nodes.length > 0 &&
    h(
      "details",
      {},
      h("summary", {}, `and ${count(nodes.length)} more`),
      h("ul", { class: "names" }, names(nodes), nodes.length > MOST_NAMES && h("li", { class: "quiet" }, "…")),
    );
  return h(
    "section",
    { "aria-labelledby": "look" },
    h("h2", { id: "look" }, "Needs a look"),
    h(
      "ul",
      { class: "plain-list" },
      all.map(({ tone, words, nodes }) =>
        h(
          "li",
          {},
          badge(tone, words),
          h("ul", { class: "names" }, names(nodes.slice(0, AT_A_GLANCE))),
          rest(nodes.slice(AT_A_GLANCE)),
        ),
      ),
    ),
  );
}

function nodesTable(nodes, title, id) {
  if (nodes.length === 0) return null;
  const columns = [
    ["Name", "", (node) => nodeLink(node)],
    ["What it is", "quiet", (node) => inOneLine(node.description)],
    ["Rows", "number", (node) => (table(node) ? count(table(node).rows) : null)],
    [
      "Fresh",
      "",
      (node) =>
        publishedAt(node)
          ? [
              moment(publishedAt(node)),
              latestDay(node) && [" ", h("span", { class: "quiet in-one" }, `through ${latestDay(node)}`)],
            ]
          : null,
    ],
    ["Standing", "", (node) => (node.exposure ? null : badge(standing(node).tone, standing(node).words))],
    ["Owner", "", (node) => (node.exposure ? node.exposure.owner[0] || "" : null)],
  ];
  const used = columns.filter(([, , cell]) => nodes.some((node) => cell(node) !== null));
  return h(
    "section",
    { "aria-labelledby": id },
    h("h2", { id }, title),
    h(
      "div",
      { class: "wide" },
      h(
        "table",
        { class: "rows stacks" },
        tableHead(...used.map(([words, style]) => (style === "number" ? [words, style] : words))),
        h(
          "tbody",
          {},
          nodes.map((node) =>
            h(
              "tr",
              {},
              used.map(([, style, cell], at) =>
                h(at === 0 ? "th" : "td", at === 0 ? { scope: "row" } : { class: style }, cell(node)),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

route("/", () => {
  const of = (kind) => site.nodes.filter((node) => node.kind === kind);
  const found = verdicts(site.tests);
  const models = of("model");
  const streaming = models.filter(isStreaming).length;
  const rows = site.nodes.reduce((sum, node) => sum + (table(node) ? table(node).rows : 0), 0);
  const run = site.last_run;
  const tests =
    found.fail > 0
      ? tile(count(found.fail), `of ${plural(site.tests.length, "test")} failed`, "bad")
      : found.warn > 0
        ? tile(count(found.warn), `of ${plural(site.tests.length, "test")} warned`, "warn")
        : found.pass > 0
          ? tile(
              count(found.pass),
              `${found.pass === 1 ? "test" : "tests"} passed${found.none > 0 ? `, ${count(found.none)} not run` : ""}`,
              "good",
            )
          : tile(
              count(site.tests.length),
              `${site.tests.length === 1 ? "test" : "tests"}, not run yet`,
              "unknown",
            );
  return {
    title: site.project,
    content: [
      h("h1", {}, site.project),
      h(
        "p",
        { class: "subtitle" },
        `Target ${site.target}`,
        site.warehouse && ` · ${site.warehouse}`,
        run && [` · last mep ${run.command} `, moment(run.ended), ` took ${seconds(run.elapsed)}`],
        " · docs written ",
        moment(site.generated),
      ),
      h(
        "div",
        { class: "tiles" },
        tile(
          count(models.length),
          `${models.length === 1 ? "model" : "models"}${streaming > 0 ? `, ${count(streaming)} of them streaming` : ""}`,
          "plain",
          "#/lineage",
        ),
        tests,
        of("source").length > 0 &&
          tile(count(of("source").length), `source ${of("source").length === 1 ? "table" : "tables"}`, "plain"),
        site.warehouse
          ? tile(short(rows), "rows in the warehouse", "plain")
          : tile("?", "the warehouse was not read", "warn"),
      ),
      concernsSection(),
      nodesTable(of("exposure"), "What uses the data", "exposures"),
      nodesTable(of("source"), "Where the data comes from", "sources"),
      models.length <= AN_EYEFUL &&
        nodesTable(
          models.filter((node) => table(node)),
          "Tables",
          "tables",
        ),
    ],
  };
});
