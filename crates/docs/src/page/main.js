// Putting the page together.

import { byId, h } from "./dom.js";
import { startRouter } from "./router.js";
import { startSearch } from "./search.js";
import { drawSidebar } from "./sidebar.js";
import { readSite, site } from "./site.js";
import { startTheme } from "./theme.js";
import "./column.js";
import "./dashboards.js";
import "./entities.js";
import "./lineage.js";
import "./node.js";
import "./overview.js";

const VIEWS = [
  ["#/", "Overview"],
  ["#/lineage", "Lineage", "/lineage/"],
  ["#/entities", "Star schema", "/entities/"],
  ["#/charts", "Charts", "/charts/"],
];

function drawFrame() {
  byId("brand").replaceChildren(
    h("span", { class: "brand-name" }, site.project),
    h("span", { class: "brand-what" }, "docs"),
  );
  byId("brand").setAttribute("aria-label", `${site.project}: overview`);
  const has = { "#/entities": site.relationships.length > 0, "#/charts": site.charts.length > 0 };
  byId("views").replaceChildren(
    ...VIEWS.filter(([href]) => has[href] !== false).map(([href, words, below]) =>
      h("a", { href, "data-below": below || null }, words),
    ),
  );
  if (site.notices.length > 0) {
    byId("problem").replaceChildren(
      ...site.notices.map((notice) => h("p", {}, notice[0].toUpperCase() + notice.slice(1))),
    );
    byId("problem").hidden = false;
  }
  byId("skip").addEventListener("click", () => byId("main").focus());
}

async function start() {
  startTheme();
  if (!byId("data").textContent.trim()) {
    byId("main").replaceChildren(h("p", { class: "quiet" }, "The docs are being made…"));
    return;
  }
  await readSite();
  drawFrame();
  drawSidebar();
  startSearch();
  startRouter();
  document.documentElement.dataset.ready = "true";
}

start().catch((error) => {
  const isOld = typeof DecompressionStream === "undefined";
  byId("main").replaceChildren(
    h(
      "p",
      {},
      isOld
        ? "This browser cannot unpack the docs: it is older than 2023."
        : `The docs cannot be shown: ${error.message}`,
    ),
  );
});
