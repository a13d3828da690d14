// A table's page, in the order in which it is asked about: what is it, can I trust it, where is it from, what is in it.

import { dashboardHref } from "./chart.js";
import { h, tableHead } from "./dom.js";
import { count, moment, plural, seconds, size } from "./format.js";
import { legend, lineageHref, nodeExplorer, nodeWeb } from "./lineage.js";
import { link, markdown } from "./markdown.js";
import { partitionsSection } from "./partitions.js";
import { route } from "./router.js";
import { colourOf, hrefOf, hrefOfColumn, isStreaming, kindOf, nodeLink, reach, site } from "./site.js";
import { sqlSection } from "./sql.js";
import { ORDER, testsSection } from "./tests.js";
import {
  TONE_OF,
  VERDICTS,
  badge,
  isOutdated,
  latestDay,
  publishedAt,
  rejectedRows,
  sourcesAsOf,
  standing,
  table,
  verdict,
  verdicts,
} from "./trust.js";

function card(title, tone, main, detail) {
  return h(
    "div",
    { class: `card tone-${tone}` },
    h("h3", {}, title),
    h("p", { class: "card-main" }, main),
    detail && h("p", { class: "card-detail" }, detail),
  );
}

function freshnessCard(node) {
  const day = latestDay(node);
  const through = day && ["data through ", h("strong", {}, day)];
  const { state } = node.stored;
  if (state === "elsewhere")
    return card("Freshness", "unknown", "Not known here", `its rows are in ${node.stored.place}`);
  if (state === "unread") return card("Freshness", "unknown", "Not known", "the warehouse was not read");
  if (state === "unreadable") return card("Freshness", "bad", "Not known", node.stored.why);
  if (state === "absent" && isStreaming(node))
    return card("Freshness", "unknown", "Not streamed yet", "mep stream keeps it in step with its source");
  if (state === "absent")
    return card("Freshness", "warn", node.kind === "source" ? "Not landed yet" : "Not built yet", "mep run makes it");
  const sources = sourcesAsOf(node);
  const asOf = node.kind !== "source" && sources && ["sources as of ", moment(sources)];
  const detail = [through, through && asOf && " · ", asOf];
  if (state === "nowhere" || state === "view")
    return card(
      "Freshness",
      "plain",
      sources ? ["Sources landed ", moment(sources)] : "As what it reads",
      "always as fresh as what it reads",
    );
  return card("Freshness", "plain", [node.kind === "source" ? "Landed " : "Built ", moment(publishedAt(node))], detail);
}

function testsCard(node) {
  const found = verdicts(node.tests);
  if (node.tests.length === 0) return card("Tests", "unknown", "None", "nothing is checked of it");
  const tone = found.fail > 0 ? "bad" : found.warn > 0 ? "warn" : found.pass > 0 ? "good" : "unknown";
  const said = ["fail", "warn", "pass", "skipped", "none"]
    .filter((word) => found[word] > 0)
    .map((word) => `${count(found[word])} ${VERDICTS[word]}`);
  const times = node.tests.map((test) => test.result && test.result.at).filter((at) => at);
  const isOlder = node.tests.some((test) => isOutdated(test, node));
  const when =
    times.length > 0
      ? [isOlder ? "last tested before it was built, " : "tested ", moment(Math.min(...times))]
      : "it was not tested yet";
  return card("Tests", tone, said[0], [said.slice(1).join(", "), said.length > 1 && " · ", when]);
}

function sizeCard(node) {
  const held = table(node);
  if (!held) return null;
  const parts = held.partition_columns.length > 0 ? ` in ${plural(held.partition_count, "partition")}` : "";
  const rejected = rejectedRows(node);
  return card("Rows", rejected > 0 ? "warn" : "plain", count(held.rows), [
    `${size(held.bytes)}${parts}`,
    rejected > 0 && ` · ${plural(rejected, "row")} rejected`,
  ]);
}

// Whether what it is made from can be trusted: a table is no better than what it reads, and what was not tested is not known.
function upstreamCard(node) {
  const above = [...reach(node.index, nodeWeb.before).keys()].map((index) => site.nodes[index]);
  if (above.length === 0) return null;
  const of = `on the ${plural(above.length, "node")} that it comes from`;
  for (const tone of ["bad", "warn"]) {
    const found = above.filter((other) => standing(other).tone === tone);
    if (found.length === 0) continue;
    const names = found.slice(0, 3).map((other, at) => [at > 0 && ", ", h("a", { href: hrefOf(other) }, other.name)]);
    const more = found.length > 3 && ` and ${count(found.length - 3)} more`;
    return card("Upstream", tone, `${count(found.length)} ${found.length === 1 ? "needs" : "need"} a look`, [
      names,
      more,
    ]);
  }
  const { pass } = verdicts(new Set(above.flatMap((other) => other.tests)));
  return pass > 0
    ? card("Upstream", "good", `${plural(pass, "test")} passed`, of)
    : card("Upstream", "unknown", "Not tested", `the last run tested nothing ${of}`);
}

const RESULTS = {
  success: ["good", "Built"],
  current: ["good", "Nothing to do"],
  error: ["bad", "Failed"],
  skipped: ["bad", "Skipped"],
};

function runCard(node) {
  if (!node.result) return null;
  const [tone, built] = RESULTS[node.result.status] || ["unknown", node.result.status];
  const words = node.result.status === "success" ? { source: "Landed", seed: "Loaded" }[node.kind] || built : built;
  const how =
    node.result.status === "error" || node.result.status === "skipped"
      ? node.result.message
      : node.result.status === "success"
        ? `in ${seconds(node.result.seconds)}`
        : "";
  return card("Last run", tone, words, how);
}

function columnsSection(node) {
  if (node.columns.length === 0) return null;
  const tests = new Map();
  for (const test of node.tests)
    if (test.column) tests.set(test.column.toLowerCase(), [...(tests.get(test.column.toLowerCase()) || []), test]);
  const keys = new Map(
    site.relationships.filter((one) => one.from === node.index).map((one) => [one.column.toLowerCase(), one]),
  );
  const held = table(node);
  const isPartition = (column) => held && held.partition_columns.includes(column.name);
  const row = (column) => {
    const key = keys.get(column.name.toLowerCase());
    const found = tests.get(column.name.toLowerCase()) || [];
    const worst = ORDER.find((word) => found.some((test) => verdict(test) === word));
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: hrefOfColumn(column), class: "mono" }, column.name)),
      h("td", { class: "mono quiet" }, column.type || "not there"),
      h(
        "td",
        { class: "prose" },
        column.description ? markdown(column.description) : h("p", { class: "quiet" }, "No description."),
        (key || isPartition(column)) &&
          h(
            "p",
            { class: "notes" },
            isPartition(column) && badge("unknown", "partition"),
            key && ["→ ", nodeLink(site.nodes[key.to])],
          ),
      ),
      h(
        "td",
        {},
        found.length > 0 &&
          h(
            "span",
            { title: found.map((test) => `${test.test || test.name}: ${VERDICTS[verdict(test)]}`).join("\n") },
            badge(
              TONE_OF[worst],
              worst === "pass"
                ? `${count(found.length)} passed`
                : `${count(found.filter((test) => verdict(test) === worst).length)} ${VERDICTS[worst]}`,
            ),
          ),
      ),
    );
  };
  return h(
    "section",
    { "aria-labelledby": "columns" },
    h("h2", { id: "columns" }, "Columns ", h("span", { class: "quiet" }, count(node.columns.length))),
    h(
      "div",
      { class: "wide" },
      h(
        "table",
        { class: "rows columns stacks" },
        tableHead("Name", "Type", "Description", "Tests"),
        h("tbody", {}, node.columns.map(row)),
      ),
    ),
  );
}

function lineageSection(node) {
  if (node.parents.length + node.children.length === 0)
    return {
      element: h(
        "section",
        { "aria-labelledby": "lineage" },
        h("h2", { id: "lineage" }, "Lineage"),
        h("p", { class: "quiet" }, "It reads nothing, and nothing reads it."),
      ),
      settle: null,
    };
  const drawn = nodeExplorer(node);
  return {
    settle: drawn.settle,
    element: h(
      "section",
      { "aria-labelledby": "lineage" },
      h("h2", { id: "lineage" }, "Lineage ", h("a", { class: "beside", href: lineageHref(node) }, "open large")),
      drawn.element,
      legend(site.nodes),
    ),
  };
}

function header(node) {
  const speed = isStreaming(node) ? badge("stream", "stream") : null;
  const facts = [
    ["File", h("code", {}, node.path)],
    node.relation && ["Relation", h("code", {}, node.relation)],
    ...(node.config || []).map(([name, value]) => [name[0].toUpperCase() + name.slice(1), h("code", {}, value)]),
    node.exposure && node.exposure.owner.length > 0 && ["Owner", node.exposure.owner.join(", ")],
    node.exposure && node.exposure.url && ["Address", link(node.exposure.url, node.exposure.url)],
    node.tags && ["Tags", node.tags.map((tag) => h("span", { class: "tag" }, tag))],
  ].filter(Boolean);
  return [
    h(
      "p",
      { class: "crumbs" },
      h("span", { class: `dot ${colourOf(node)}` }),
      kindOf(node),
      node.folders.length > 0 && h("span", { class: "quiet" }, node.folders.join(" / ")),
      speed,
    ),
    h("h1", { class: "name" }, node.name),
    h(
      "div",
      { class: "prose lead" },
      node.description ? markdown(node.description) : h("p", { class: "quiet" }, "No description."),
    ),
    h(
      "dl",
      { class: "facts" },
      facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
  ];
}

function showNode(node) {
  const lineage = lineageSection(node);
  const hasCharts = site.charts.some((one) => one.exposure === node.index);
  return {
    title: node.name,
    shown: lineage.settle,
    content: [
      header(node),
      h(
        "div",
        { class: "cards", role: "group", "aria-label": "Can it be trusted?" },
        freshnessCard(node),
        node.kind !== "exposure" && testsCard(node),
        upstreamCard(node),
        sizeCard(node),
        runCard(node),
      ),
      hasCharts && h("p", { class: "subtitle" }, h("a", { href: dashboardHref(node) }, "See its charts")),
      lineage.element,
      columnsSection(node),
      testsSection(node),
      sqlSection(node),
      partitionsSection(node),
    ],
  };
}

for (const kind of ["model", "seed", "source", "exposure"]) {
  route(`/${kind}/:name`, ({ name }) => {
    const node = site.byKey.get(`${kind}/${name}`);
    return node ? showNode(node) : null;
  });
}
