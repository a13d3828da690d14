// Can I trust it? What the tests of a node found, and how fresh its content is.

import { h } from "./dom.js";
import { plural } from "./format.js";
import { isStreaming, reach, site } from "./site.js";

// The tests of a node by what they found when they last ran: fail (or error), warn, pass, and none where they never did.
export function verdicts(tests) {
  const counts = { fail: 0, warn: 0, pass: 0, skipped: 0, none: 0 };
  for (const test of tests) counts[verdict(test)] += 1;
  return counts;
}

export function verdict(test) {
  const status = test.result ? test.result.status : "none";
  return status === "error" ? "fail" : status in { fail: 0, warn: 0, pass: 0, skipped: 0 } ? status : "none";
}

// Whether a table was built anew after a test of it last ran.
export const isOutdated = (test, node) => Boolean(test.result && test.result.at && publishedAt(node) > test.result.at);

export const VERDICTS = { fail: "failed", warn: "warned", pass: "passed", skipped: "skipped", none: "not run" };

// How a node stands: bad, warn, good or unknown, with the words for it.
export function standing(node) {
  if (node.result && node.result.status === "error") return { tone: "bad", words: "failed in the last run" };
  if (node.result && node.result.status === "skipped") return { tone: "bad", words: "skipped in the last run" };
  const found = verdicts(node.tests);
  if (found.fail > 0) return { tone: "bad", words: `${plural(found.fail, "test")} failed` };
  if (node.stored.state === "unreadable") return { tone: "bad", words: "cannot be read" };
  if (node.stored.state === "absent" && isStreaming(node)) return { tone: "unknown", words: "not streamed yet" };
  if (node.stored.state === "absent") return { tone: "warn", words: "not built yet" };
  if (found.warn > 0) return { tone: "warn", words: `${plural(found.warn, "test")} warned` };
  if (found.pass > 0) return { tone: "good", words: `${plural(found.pass, "test")} passed` };
  return { tone: "unknown", words: node.tests.length > 0 ? "not tested yet" : "no tests" };
}

export const table = (node) => (node.stored.state === "table" ? node.stored : null);

// When rows were last brought in or built.
export function publishedAt(node) {
  const landed = table(node) && table(node).batches && table(node).batches[0];
  return landed ? landed.at : node.stored.published;
}

// The latest day of a table that is partitioned by days.
export function latestDay(node) {
  const keys = table(node) ? table(node).partitions.map((partition) => partition.key) : [];
  const days = keys.map((key) => key.split("/")[0]).filter((key) => /^\d{4}-\d\d-\d\d$/.test(key));
  return days.sort().pop() || null;
}

// When the sources that a node is made from were last landed: the one that has waited longest.
export function sourcesAsOf(node) {
  const above = [...reach(node.index, (index) => site.nodes[index].parents).keys()].map((index) => site.nodes[index]);
  const landed = above
    .filter((other) => other.kind === "source" && table(other))
    .map(publishedAt)
    .filter((at) => at);
  return landed.length > 0 ? Math.min(...landed) : null;
}

export const rejectedRows = (node) =>
  table(node) && table(node).batches ? table(node).batches.reduce((sum, batch) => sum + batch.rejected, 0) : 0;

export const badge = (tone, text) => h("span", { class: `badge tone-${tone}` }, text);

export const TONE_OF = { fail: "bad", warn: "warn", pass: "good", skipped: "unknown", none: "unknown" };
