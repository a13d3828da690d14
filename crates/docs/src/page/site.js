// The project as the page knows it: what is embedded, and what follows from it (children, tests by node, places of columns).

import { byId, h } from "./dom.js";

// Empty until it is read.
export const site = {};

async function inflate(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

export async function readSite() {
  const data = byId("data");
  const read = await inflate(data.textContent.trim());
  data.textContent = "";
  read.nodes.forEach((node, index) => {
    node.index = index;
    node.children = [];
    node.tests = [];
    node.key = `${node.kind}/${node.name}`;
    for (const parent of node.parents) read.nodes[parent].children.push(index);
  });
  read.byKey = new Map(read.nodes.map((node) => [node.key, node]));
  read.tests.forEach((test, index) => {
    test.index = index;
    if (test.nodes.length > 0) read.nodes[test.nodes[0]].tests.push(test);
    // A test that is a file is about all that it reads.
    if (!test.test) for (const node of test.nodes.slice(1)) read.nodes[node].tests.push(test);
  });
  read.byTest = new Map(read.tests.map((test) => [test.name, test]));
  numberColumns(read);
  Object.assign(site, read);
}

// Columns of all nodes in one row of numbers: those of a node come after those of the nodes that it reads.
function numberColumns(read) {
  read.columns = [];
  for (const node of read.nodes) {
    node.columns.forEach((column, place) => {
      column.node = node;
      column.place = place;
      column.number = read.columns.length;
      column.to = [];
      read.columns.push(column);
    });
  }
  for (const column of read.columns) {
    column.origins = (column.from || []).map(([node, place]) => read.nodes[node].columns[place].number);
    for (const origin of column.origins) read.columns[origin].to.push(column.number);
  }
  read.hasColumnLineage = read.columns.some((column) => column.origins.length > 0);
}

export const encoded = (name) => encodeURIComponent(name);
export const hrefOf = (node) => `#/${node.kind}/${encoded(node.name)}`;
export const hrefOfColumn = (column) => `${hrefOf(column.node)}/column/${encoded(column.name)}`;
export const hrefOfTest = (test) => `#/test/${encoded(test.name)}`;

export const isStreaming = (node) => node.materialized === "streaming";

// What a node is, in a word.
export const kindOf = (node) => node.materialized || (node.exposure ? node.exposure.type : node.kind);

// The class that gives a node its colour.
export const colourOf = (node) => `is-${node.materialized || node.kind}`;

// The nodes that are reached over `next` from one, each with how many steps away it is, the nearest first.
export function reach(from, next, most = Infinity) {
  const steps = new Map([[from, 0]]);
  for (const [node, step] of steps) {
    if (step < most) for (const other of next(node)) if (!steps.has(other)) steps.set(other, step + 1);
  }
  steps.delete(from);
  return steps;
}

export const nodeLink = (node) =>
  h(
    "a",
    { href: hrefOf(node), class: "node-link" },
    h("span", { class: `dot ${colourOf(node)}`, title: kindOf(node) }),
    node.name,
  );
