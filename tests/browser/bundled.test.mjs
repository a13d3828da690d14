// The docs of the bundled project after a build: what an analyst does with them. MEP_DOCS is the file, MEP_SHOTS a folder for pictures.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { fitsItsWidth, follow, go, isQuiet, openDocs, text, withBrowser } from "./browser.mjs";

const { MEP_DOCS: docs, MEP_SHOTS: shots } = process.env;
let browser;
let close;
let closed;

before(async () => {
  await new Promise((opened, failed) => {
    closed = withBrowser((one) => {
      browser = one;
      opened();
      return new Promise((resolve) => {
        close = resolve;
      });
    });
    closed.catch(failed);
  });
});

after(async () => {
  if (close) close();
  await closed;
});

const shown = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll(".box")].map((box) => box.getAttribute("aria-label").split(",")[0]),
  );

test("the overview says how the project stands", async () => {
  const page = await openDocs(browser, docs);
  assert.equal(await text(page, "h1"), "music_events");
  assert.match(await text(page, ".tiles"), /41\s+models, 6 of them streaming\s+258\s+tests passed\s+4\s+source tables/);
  assert.match(await text(page, ".subtitle"), /Target local · \.mep\/local · last mep build .* took/);
  isQuiet(page);
});

test("search finds tables, columns and descriptions, and is used by the keyboard alone", async () => {
  const page = await openDocs(browser, docs);
  await page.keyboard.press("/");
  await page.keyboard.type("fact_lis");
  assert.match(await text(page, "#hits li"), /fact_listen\s+incremental/);
  assert.equal(await page.getAttribute("#query", "aria-activedescendant"), "hit-0");
  await follow(page, () => page.keyboard.press("Enter"));
  assert.equal(await text(page, "h1"), "fact_listen");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("/");
  await page.keyboard.type("valid_to");
  assert.match(await text(page, "#hits li"), /valid_to\s+column of dim_user/);
  await page.fill("#query", "level");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.getAttribute("#query", "aria-activedescendant"), "hit-1");
  await page.keyboard.press("Escape");
  assert.equal(await page.isVisible("#hits"), false);
  await page.fill("#query", "somebody was logged in");
  assert.match(await text(page, "#hits"), /auth/);
  await page.fill("#query", "no such thing at all");
  assert.match(await text(page, "#hits"), /Nothing is called so/);
  isQuiet(page);
});

test("a table's page says what it is, how fresh it is, and what its tests found", async () => {
  const page = await openDocs(browser, docs, { hash: "#/model/fact_listen" });
  assert.match(await text(page, ".lead"), /One row for each song that was played/);
  const cards = await text(page, ".cards");
  assert.match(cards, /Freshness\s+Built .*\s+data through 2018-11-30 · sources as of/);
  assert.match(cards, /Tests\s+\d+ passed/);
  assert.match(cards, /Upstream\s+\d+ tests passed\s+on the 2 nodes that it comes from/);
  assert.match(cards, /Rows\s+[\d,]+\s+.* in 30 partitions/);
  assert.match(await text(page, "table.columns"), /song_id\s+bigint[^]*→\s*dim_song/);
  const panes = page.locator(".pane pre");
  assert.match(await panes.nth(0).innerText(), /\{\{ ref\('stg_listen_events'\) \}\}/);
  assert.match(await panes.nth(1).innerText(), /music\.stg_listen_events/);
  assert.match(await text(page, "[aria-labelledby=partitions]"), /Partitions 30 by event_date[^]*2018-11-30/);
  isQuiet(page);
});

test("a source's page says what was landed", async () => {
  const page = await openDocs(browser, docs, { hash: "#/source/events.listen_events" });
  assert.match(await text(page, ".cards"), /Freshness\s+Landed .*\s+data through 2018-11-30/);
  assert.match(
    await text(page, "[aria-labelledby=partitions] details"),
    /Landed in 1 run\s+Run\s+Units\s+Read\s+Landed\s+Rejected/,
  );
  isQuiet(page);
});

test("lineage is followed from a table to what reads it, and more is shown on demand", async () => {
  const page = await openDocs(browser, docs, { hash: "#/model/stg_auth_events" });
  const before = await shown(page);
  assert.ok(
    before.includes("events.auth_events") && before.includes("fact_auth") && !before.includes("music_dashboard"),
    before.join(),
  );
  await page.locator(".more").first().click();
  assert.ok((await shown(page)).length > before.length);
  await page.getByLabel("Downstream").selectOption("99");
  assert.ok((await shown(page)).includes("music_dashboard"));
  await follow(page, () => page.locator('.box[href="#/model/fact_auth"]').click());
  assert.equal(await text(page, "h1"), "fact_auth");
  isQuiet(page);
});

test("the arrow keys go along the edges of the graph, and Enter opens", async () => {
  const page = await openDocs(browser, docs, { hash: "#/model/fact_auth" });
  await page.focus(".box.is-chosen");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), "#/model/stg_auth_events");
  await page.keyboard.press("ArrowLeft");
  await follow(page, () => page.keyboard.press("Enter"));
  assert.equal(await text(page, "h1"), "events.auth_events");
});

test("the graph has a list that says the same", async () => {
  const page = await openDocs(browser, docs, { hash: "#/model/fact_auth" });
  await page.getByText("As a list").first().click();
  const list = await text(page, ".as-list");
  assert.match(list, /Upstream \(2\)\s+directly\s+stg_auth_events view\s+over 2 steps\s+events\.auth_events source/);
});

test("streaming and batch paths are told apart, and exposures stand at the ends", async () => {
  const page = await openDocs(browser, docs, { hash: "#/lineage/model/stg_listen_events" });
  assert.equal(await page.locator(".box.is-streaming").count(), 5);
  assert.ok((await page.locator(".edge.is-stream").count()) >= 10);
  assert.ok((await page.locator(".edge:not(.is-stream)").count()) >= 5);
  assert.ok((await shown(page)).includes("live_dashboard"));
  await page.screenshot({ path: `${shots}/lineage.png` });
  isQuiet(page);
});

test("a column's path leads back to the source's column", async () => {
  const page = await openDocs(browser, docs, { hash: "#/model/dim_song" });
  await follow(page, () => page.locator("table.columns").getByRole("link", { name: "title", exact: true }).click());
  assert.equal(page.url().split("#")[1], "/model/dim_song/column/title");
  assert.equal(await text(page, "h1"), "title");
  assert.match(await text(page, "[aria-labelledby=path] p"), /Its values come from .*events\.listen_events\.song/);
  assert.ok((await page.locator('.box[href="#/model/mart_top_songs/column/title"]').count()) === 1);
  await follow(page, () => page.locator('.box[href="#/source/events.listen_events/column/song"]').click());
  assert.equal(await text(page, ".crumbs a"), "events.listen_events");
  isQuiet(page);
});

test("the star schema is drawn from the relationships tests", async () => {
  const page = await openDocs(browser, docs, { hash: "#/entities" });
  const tables = await page.evaluate(() =>
    [...document.querySelectorAll(".entity .box-name")].map((name) => name.textContent).sort(),
  );
  assert.deepEqual(tables, [
    "dim_date",
    "dim_location",
    "dim_song",
    "dim_time",
    "dim_user",
    "fact_auth",
    "fact_listen",
    "fact_page_view",
  ]);
  assert.equal(await page.locator(".key").count(), 14);
  await page.getByText("As a list").click();
  assert.match(await text(page, ".as-list table"), /fact_listen\s*\.song_id\s+dim_song\s*\.song_id\s+passed/);
  isQuiet(page);
});

test("charts are drawn from the marts", async () => {
  const page = await openDocs(browser, docs, { hash: "#/charts" });
  assert.equal(await page.locator("figure.chart").count(), 7);
  assert.equal(await page.locator("figure .message").count(), 0);
  assert.match(
    await page.locator("figure", { hasText: "Users by gender and level" }).locator(".bars").innerText(),
    /F, free[^]*M, paid/,
  );
  const map = page.locator(".state-map");
  assert.equal(await map.locator("g").count(), 51);
  assert.match(await map.locator("g", { hasText: "CA" }).locator("title").textContent(), /^CA: [1-9][\d,]*$/);
  await page.screenshot({ path: `${shots}/charts.png`, fullPage: true });
  isQuiet(page);
});

test("an address that leads nowhere says so", async () => {
  const page = await openDocs(browser, docs, { hash: "#/model/nothing" });
  assert.equal(await text(page, "h1"), "Not found");
  isQuiet(page);
});

test("colours follow the system until the reader says otherwise", async () => {
  const page = await openDocs(browser, docs, { colours: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.getByRole("button", { name: "Colours: as the system" }).click();
  assert.notEqual(await ground(), dark);
  await page.getByRole("button", { name: "Colours: light" }).click();
  assert.equal(await ground(), dark);
});

test("readers of the screen find landmarks, names and one heading of the first rank on each page", async () => {
  const page = await openDocs(browser, docs);
  for (const hash of [
    "#/",
    "#/model/fact_listen",
    "#/model/dim_song/column/title",
    "#/lineage",
    "#/entities",
    "#/charts",
    "#/source/events.auth_events",
    "#/exposure/music_dashboard",
  ]) {
    await go(page, hash);
    assert.equal(await page.locator("h1").count(), 1, hash);
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll("a, button, input, select, [role=button], [role=group], [role=img]")]
        .filter(
          (one) => !(one.getAttribute("aria-label") || one.textContent.trim() || (one.labels && one.labels.length)),
        )
        .map((one) => one.outerHTML),
    );
    assert.deepEqual(unnamed, [], hash);
    const twice = await page.evaluate(() =>
      [...document.querySelectorAll("[id]")].map((one) => one.id).filter((id, at, all) => all.indexOf(id) !== at),
    );
    assert.deepEqual(twice, [], hash);
  }
  for (const role of ["banner", "main", "search"]) assert.equal(await page.getByRole(role).count(), 1, role);
  assert.equal(await page.getByRole("navigation", { name: "Tables" }).count(), 1);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  const fresh = await openDocs(browser, docs, { hash: "#/model/dim_user" });
  await fresh.keyboard.press("Tab");
  assert.equal(await fresh.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await fresh.keyboard.press("Enter");
  assert.equal(await fresh.evaluate(() => document.activeElement.id), "main");
  isQuiet(page);
});

test("all of it fits a phone", async () => {
  const page = await openDocs(browser, docs, { width: 390, height: 844 });
  for (const hash of [
    "#/",
    "#/model/fact_listen",
    "#/model/dim_song/column/title",
    "#/lineage",
    "#/entities",
    "#/charts",
    "#/source/events.auth_events",
  ]) {
    await go(page, hash);
    await fitsItsWidth(page);
  }
  await page.getByRole("button", { name: "Tables" }).click();
  await follow(page, () => page.locator("#sidebar").getByRole("link", { name: "dim_user" }).click());
  assert.equal(await text(page, "h1"), "dim_user");
  assert.equal(await page.isVisible("#sidebar"), false);
  isQuiet(page);
});
