// A project whose texts try to be markup, links that run scripts, and the end of the embedded data: all of it stays text.

import assert from "node:assert/strict";
import { test } from "node:test";

import { go, isQuiet, openDocs, text, withBrowser } from "./browser.mjs";

const docs = process.env.MEP_DOCS;

test("texts of the project stay text on every page", () =>
  withBrowser(async (browser) => {
    const page = await openDocs(browser, docs, { hash: "#/model/evil" });
    assert.match(await text(page, ".lead"), /<script>window\.ran = 1<\/script>/);
    assert.match(await text(page, ".lead"), /<img src=x onerror="window\.ran = 2">/);
    assert.match(await page.locator(".pane pre").first().innerText(), /<\/script><script>window\.ran = 3<\/script>/);
    assert.equal(await page.locator(".lead script, .lead img, main iframe").count(), 0);
    const hrefs = () =>
      page.evaluate(() => [...document.querySelectorAll("a")].map((one) => one.href || one.getAttribute("href")));
    assert.deepEqual(
      (await hrefs()).filter((href) => /^\s*(javascript|data|vbscript):/i.test(href)),
      [],
    );
    assert.equal(await text(page, ".lead a"), "safe");
    for (const hash of [
      "#/",
      "#/lineage",
      "#/test/evil_test",
      "#/exposure/evil_board",
      "#/model/evil/column/%3Cb%3Ebold%3C%2Fb%3E",
      "#/model/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
    ]) {
      await go(page, hash);
      assert.equal(await page.locator("main b, main img, main iframe, main script").count(), 0, hash);
    }
    await page.fill("#query", "window.ran");
    assert.match(await text(page, "#hits"), /evil/);
    assert.equal(await page.evaluate(() => window.ran), undefined);
    isQuiet(page);
  }));

test("a script that got onto the page could still not run", () =>
  withBrowser(async (browser) => {
    const page = await openDocs(browser, docs);
    const refused = await page.evaluate(
      () =>
        new Promise((resolve) => {
          document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
          const script = document.createElement("script");
          script.textContent = "window.ran = 4";
          document.body.append(script);
        }),
    );
    assert.match(refused, /^script-src/);
    assert.equal(await page.evaluate(() => window.ran), undefined);
  }));
