// A column: what it says, and the columns that its values come from and go to.

import { h } from "./dom.js";
import { ALL, explorer } from "./explorer.js";
import { count, plural } from "./format.js";
import { speedOf } from "./lineage.js";
import { markdown } from "./markdown.js";
import { route } from "./router.js";
import { colourOf, hrefOfColumn, nodeLink, reach, site } from "./site.js";
import { testTable } from "./tests.js";

const columnWeb = {
  before: (number) => site.columns[number].origins,
  after: (number) => site.columns[number].to,
};

function describeColumn(number) {
  const column = site.columns[number];
  return {
    name: column.name,
    about: column.node.name,
    colour: colourOf(column.node),
    href: hrefOfColumn(column),
    label: `Column ${column.name} of ${column.node.name}${column.type ? `, ${column.type}` : ""}; comes from ${plural(column.origins.length, "column")}, goes into ${count(column.to.length)}`,
  };
}

// The ends of a column's path: what it is made of in the last instance.
function rootsOf(column) {
  const above = [...reach(column.number, columnWeb.before).keys()].map((number) => site.columns[number]);
  return above.filter((one) => one.origins.length === 0);
}

function columnPath(column) {
  if (!site.hasColumnLineage)
    return { content: [h("p", { class: "quiet" }, "The columns' lineage is not known.")], shown: null };
  const roots = rootsOf(column);
  const uses = reach(column.number, columnWeb.after).size;
  const words = h(
    "p",
    {},
    roots.length > 0
      ? [
          "Its values come from ",
          roots
            .slice(0, 6)
            .map((root, at) => [
              at > 0 && ", ",
              h("a", { href: hrefOfColumn(root) }, `${root.node.name}.${root.name}`),
            ]),
          roots.length > 6 && ` and ${count(roots.length - 6)} more`,
          ". ",
        ]
      : column.node.kind === "model"
        ? "Its values come from no column of another table. "
        : "Its values come from outside. ",
    uses > 0
      ? `${plural(uses, "column")} downstream ${uses === 1 ? "is" : "are"} made of it.`
      : "Nothing in the project is made of it.",
  );
  if (column.origins.length + column.to.length === 0) return { content: [words], shown: null };
  const drawn = explorer({
    web: columnWeb,
    centre: column.number,
    describe: describeColumn,
    label: `Lineage of column ${column.name} of ${column.node.name}`,
    depth: { before: ALL, after: 2 },
    styleOf: (from, to) => speedOf(site.columns[from].node.index, site.columns[to].node.index),
  });
  return { content: [words, drawn.element], shown: drawn.settle };
}

route("/:kind/:name/column/:column", ({ kind, name, column: wanted }) => {
  const node = site.byKey.get(`${kind}/${name}`);
  const column = node && node.columns.find((one) => one.name === wanted);
  if (!column) return null;
  const tests = node.tests.filter((test) => test.column && test.column.toLowerCase() === column.name.toLowerCase());
  const path = columnPath(column);
  return {
    title: `${column.name} of ${node.name}`,
    shown: path.shown,
    content: [
      h("p", { class: "crumbs" }, nodeLink(node), h("span", { "aria-hidden": "true" }, "›"), "column"),
      h("h1", { class: "name" }, column.name),
      h("p", { class: "subtitle" }, h("code", {}, column.type || "described, but not a column of the table")),
      h(
        "div",
        { class: "prose" },
        column.description ? markdown(column.description) : h("p", { class: "quiet" }, "No description."),
      ),
      h(
        "section",
        { "aria-labelledby": "path" },
        h("h2", { id: "path" }, "Where it comes from and goes"),
        path.content,
      ),
      tests.length > 0 &&
        h("section", { "aria-labelledby": "tests" }, h("h2", { id: "tests" }, "Tests"), testTable(tests, node)),
    ],
  };
});
