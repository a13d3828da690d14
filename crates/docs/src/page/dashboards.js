// The charts of the exposures, from what the last run built.

import { chart } from "./chart.js";
import { h } from "./dom.js";
import { moment } from "./format.js";
import { inOneLine } from "./markdown.js";
import { route } from "./router.js";
import { nodeLink, site } from "./site.js";

function dashboard(node) {
  const charts = site.charts.filter((one) => one.exposure === node.index);
  return [
    h("h2", {}, nodeLink(node)),
    node.description && h("p", { class: "quiet" }, inOneLine(node.description)),
    h("div", { class: "charts" }, charts.map(chart)),
  ];
}

const chartedNodes = () => [...new Set(site.charts.map((one) => one.exposure))].map((index) => site.nodes[index]);
const drawnNote = () =>
  h("p", { class: "subtitle" }, "Drawn from the tables as they were ", moment(site.generated), ".");

route("/charts", () => ({
  title: "Charts",
  isWide: true,
  content: [
    h("h1", {}, "Charts"),
    site.charts.length > 0
      ? [drawnNote(), chartedNodes().map(dashboard)]
      : h(
          "p",
          {},
          site.warehouse
            ? "No exposure declares charts under its "
            : "The warehouse was not read, so that no chart is drawn of an exposure's ",
          h("code", {}, "meta"),
          ".",
        ),
  ],
}));

route("/charts/:name", ({ name }) => {
  const node = chartedNodes().find((one) => one.name === name);
  return node
    ? { title: `Charts of ${node.name}`, isWide: true, content: [h("h1", {}, "Charts"), drawnNote(), dashboard(node)] }
    : null;
});
