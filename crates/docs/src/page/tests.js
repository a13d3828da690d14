// Tests: what each asks for, and what it found when it last ran.

import { h, tableHead } from "./dom.js";
import { count, moment, plural, seconds } from "./format.js";
import { markdown } from "./markdown.js";
import { route } from "./router.js";
import { hrefOfTest, nodeLink, site } from "./site.js";
import { pane } from "./sql.js";
import { TONE_OF, VERDICTS, badge, isOutdated, verdict } from "./trust.js";

const argument = (value) =>
  Array.isArray(value) ? value.map(argument).join(", ") : typeof value === "string" ? value : JSON.stringify(value);

// What a test asks for, in words where its kind is a common one.
function asks(test) {
  const given = test.arguments || {};
  const column = test.column ? [h("code", {}, test.column), " "] : [];
  if (test.test === "unique") return [column, "is unique"];
  if (test.test === "not_null") return [column, "is never null"];
  if (test.test === "accepted_values" && given.values)
    return [column, "is one of ", h("code", {}, argument(given.values))];
  const target = test.nodes.length > 1 ? test.nodes[1] : test.nodes[0];
  if (test.test === "relationships" && given.field && target !== undefined)
    return [column, "names a row of ", nodeLink(site.nodes[target]), " by ", h("code", {}, String(given.field))];
  if (!test.test) return [test.name.replace(/_/g, " ")];
  const others = Object.entries(given)
    .map(([key, value]) => `${key}: ${argument(value)}`)
    .join(", ");
  return [column, h("code", {}, test.test), others && h("span", { class: "quiet" }, ` ${others}`)];
}

export function foundBy(test) {
  const outcome = verdict(test);
  const rows = test.result && test.result.failures ? ` · ${plural(test.result.failures, "row")}` : "";
  const isOld = test.nodes.some((node) => isOutdated(test, site.nodes[node]));
  return [
    badge(TONE_OF[outcome], `${VERDICTS[outcome]}${rows}`),
    isOld && h("span", { class: "quiet" }, " ", moment(test.result.at), ", of earlier content"),
  ];
}

export const ORDER = ["fail", "warn", "skipped", "none", "pass"];

export function testTable(tests) {
  const sorted = [...tests].sort((a, b) => ORDER.indexOf(verdict(a)) - ORDER.indexOf(verdict(b)) || a.index - b.index);
  return h(
    "div",
    { class: "wide" },
    h(
      "table",
      { class: "rows" },
      tableHead("Result", "Asks that", ["Took", "number"]),
      h(
        "tbody",
        {},
        sorted.map((test) =>
          h(
            "tr",
            {},
            h(
              "td",
              {},
              h(
                "a",
                { href: hrefOfTest(test), class: "plain", "aria-label": `${VERDICTS[verdict(test)]}: ${test.name}` },
                foundBy(test),
              ),
            ),
            h(
              "td",
              {},
              asks(test),
              test.where && h("span", { class: "quiet" }, " where ", h("code", {}, test.where)),
              test.warns && h("span", { class: "quiet" }, " (warns)"),
              test.result &&
                test.result.message &&
                verdict(test) !== "pass" &&
                h("p", { class: "message" }, test.result.message),
            ),
            h("td", { class: "number quiet" }, test.result ? seconds(test.result.seconds) : ""),
          ),
        ),
      ),
    ),
  );
}

export function testsSection(node) {
  if (node.tests.length === 0)
    return node.kind === "exposure"
      ? null
      : h(
          "section",
          { "aria-labelledby": "tests" },
          h("h2", { id: "tests" }, "Tests"),
          h("p", { class: "quiet" }, "No test is about this table."),
        );
  return h(
    "section",
    { "aria-labelledby": "tests" },
    h("h2", { id: "tests" }, "Tests ", h("span", { class: "quiet" }, count(node.tests.length))),
    testTable(node.tests),
  );
}

route("/test/:name", ({ name }) => {
  const test = site.byTest.get(name);
  if (!test) return null;
  return {
    title: test.name,
    content: [
      h("p", { class: "crumbs" }, test.test ? "test" : "test in a file"),
      h("h1", { class: "name is-long" }, test.name),
      h("p", { class: "subtitle" }, foundBy(test), " ", h("code", {}, test.path)),
      h(
        "div",
        { class: "prose" },
        test.description && markdown(test.description),
        h("p", {}, "It asks that: ", asks(test), test.where && [" where ", h("code", {}, test.where)], "."),
      ),
      test.result && test.result.message && h("p", { class: "message" }, test.result.message),
      h(
        "section",
        { "aria-labelledby": "reads" },
        h("h2", { id: "reads" }, "Reads"),
        h(
          "ul",
          {},
          test.nodes.map((node) => h("li", {}, nodeLink(site.nodes[node]))),
        ),
      ),
      verdict(test) === "fail" &&
        h(
          "section",
          { "aria-labelledby": "rows" },
          h("h2", { id: "rows" }, "The rows that fail it"),
          h("pre", { tabindex: 0 }, h("code", {}, `mep show --select ${test.name}`)),
        ),
      test.source &&
        h(
          "section",
          { "aria-labelledby": "sql" },
          h("h2", { id: "sql" }, "SQL"),
          h("div", { class: "panes is-one" }, pane("As written", test.source)),
        ),
    ],
  };
});
