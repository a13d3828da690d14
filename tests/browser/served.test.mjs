// Served docs follow the project: MEP_ADDRESS is where they are, MEP_MODEL the file of the model `shown`, MEP_YAML its properties.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";

import { ready, text, withBrowser } from "./browser.mjs";

const { MEP_ADDRESS: address, MEP_MODEL: model, MEP_YAML: yaml } = process.env;

test("an open page follows the project's files, and shows its problem until it is mended", () =>
  withBrowser(async (browser) => {
    const page = await browser.newPage();
    await page.goto(`${address}/#/model/shown`);
    await ready(page);
    assert.equal(await text(page, "h1"), "shown");
    await writeFile(yaml, "models:\n  - name: shown\n    description: written later\n");
    await page.getByText("written later").waitFor({ timeout: 20_000 });
    assert.equal(page.url(), `${address}/#/model/shown`);
    await writeFile(model, "select nothing from {{ ref('other') }}");
    const problem = page.getByRole("alert").filter({ hasText: "The project has a problem" });
    await problem.waitFor({ timeout: 20_000 });
    assert.match(await problem.innerText(), /there is no model or seed `other`/);
    assert.equal(await text(page, "h1"), "shown");
    await writeFile(model, "select 2 as two");
    await page.getByRole("link", { name: "two", exact: true }).waitFor({ timeout: 20_000 });
    assert.equal(await problem.isVisible(), false);
  }));
