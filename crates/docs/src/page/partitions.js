// What the warehouse holds of a table: its partitions, which run left which of them, and what was landed.

import { h, tableHead } from "./dom.js";
import { count, dateTime, moment, plural, size } from "./format.js";
import { table } from "./trust.js";

const FIRST = 31;

export function partitionsSection(node) {
  const held = table(node);
  if (!held) return null;
  const isPartitioned = held.partition_columns.length > 0;
  const title = isPartitioned
    ? [
        "Partitions ",
        h("span", { class: "quiet" }, `${count(held.partition_count)} by ${held.partition_columns.join(", ")}`),
      ]
    : "In the warehouse";
  return h(
    "section",
    { "aria-labelledby": "partitions" },
    h("h2", { id: "partitions" }, title),
    held.batches && landings(held.batches),
    isPartitioned ? partitionTable(held) : builtFrom(held.partitions[0]),
    isPartitioned && history(held.runs),
  );
}

const inputsOf = (partition) =>
  Object.entries((partition && partition.inputs) || {})
    .map(([name, number]) => (number > 1 ? `${name} (${plural(number, "partition")})` : name))
    .join(", ");

function builtFrom(partition) {
  const inputs = inputsOf(partition);
  return h("p", {}, "Built ", partition ? moment(partition.built) : "without rows", inputs && [" from ", inputs], ".");
}

function partitionTable(held) {
  const most = Math.max(1, ...held.partitions.map((partition) => partition.rows));
  const row = (partition) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "mono" }, partition.key),
      h("td", { class: "number" }, count(partition.rows)),
      h(
        "td",
        { class: "bar-cell", "aria-hidden": "true" },
        h("span", { class: "bar", style: { width: `${Math.max(1, (100 * partition.rows) / most)}%` } }),
      ),
      h("td", { class: "number" }, size(partition.bytes)),
      h("td", {}, moment(partition.built)),
      h("td", { class: "quiet" }, inputsOf(partition)),
    );
  const body = h("tbody", {}, held.partitions.slice(0, FIRST).map(row));
  const hasInputs = held.partitions.some((partition) => partition.inputs);
  const rest =
    held.partitions.length > FIRST &&
    h(
      "button",
      {
        type: "button",
        onclick: (event) => {
          body.append(...held.partitions.slice(FIRST).map(row));
          event.target.remove();
        },
      },
      `Show ${count(held.partitions.length - FIRST)} more`,
    );
  const left = held.partition_count - held.partitions.length;
  return [
    h(
      "div",
      { class: "wide" },
      h(
        "table",
        { class: "rows partitions" },
        tableHead("Partition", ["Rows", "number"], null, ["Size", "number"], "Built", hasInputs ? "From" : null),
        body,
      ),
    ),
    rest,
    left > 0 && h("p", { class: "quiet" }, `${plural(left, "older partition")} are counted above and not listed.`),
  ];
}

// What of the table each run left: a table that was built in one go has one line.
function history(runs) {
  return h(
    "details",
    {},
    h("summary", {}, `History: what is there was left by ${plural(runs.length, "run")}`),
    h(
      "table",
      { class: "rows" },
      tableHead("Run", ["Partitions", "number"], ["Rows", "number"]),
      h(
        "tbody",
        {},
        runs
          .slice(0, 200)
          .map((run) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, run.at ? dateTime(run.at) : "not known"),
              h("td", { class: "number" }, count(run.partitions)),
              h("td", { class: "number" }, count(run.rows)),
            ),
          ),
      ),
    ),
  );
}

function landings(batches) {
  const withheld = batches.some((batch) => batch.withheld > 0);
  return h(
    "details",
    { open: batches.length <= 5 },
    h("summary", {}, `Landed in ${plural(batches.length, "run")}`),
    h(
      "div",
      { class: "wide" },
      h(
        "table",
        { class: "rows" },
        tableHead(
          "Run",
          ...["Units", "Read", "Landed", "Rejected", withheld && "For later days"]
            .filter(Boolean)
            .map((word) => [word, "number"]),
        ),
        h(
          "tbody",
          {},
          batches.slice(0, 200).map((batch) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, batch.at ? dateTime(batch.at) : "not known"),
              [batch.units, batch.read, batch.landed].map((number) => h("td", { class: "number" }, count(number))),
              h("td", { class: `number${batch.rejected > 0 ? " is-warn" : ""}` }, count(batch.rejected)),
              withheld && h("td", { class: "number" }, count(batch.withheld)),
            ),
          ),
        ),
      ),
    ),
  );
}
