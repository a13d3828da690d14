// The browser of the tests: Debian's Chromium, without a window, and what is seen of a page in it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const PREPARE = "call tests/browser/prepare, which installs Chromium and the packages of the tests in a browser";

function playwright() {
  try {
    return createRequire(import.meta.url)("playwright-core");
  } catch (error) {
    throw new Error(`playwright-core is not there: ${PREPARE}`, { cause: error });
  }
}

// Opens the browser, and closes it when `work` is done.
export async function withBrowser(work) {
  const name = process.env.MEP_TEST_CHROMIUM || "/usr/bin/chromium";
  const launched = playwright().chromium.launch({
    executablePath: name,
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  const browser = await launched.catch((error) => {
    throw new Error(`${name} cannot be started: ${PREPARE}\n${error.message}`);
  });
  try {
    return await work(browser);
  } finally {
    await browser.close();
  }
}

// A page of the docs in a file; it must say nothing on the console and ask the network for nothing.
export async function openDocs(browser, file, { width = 1280, height = 860, colours = "light", hash = "" } = {}) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: colours });
  page.trouble = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && page.trouble.push(message.text()));
  page.on("pageerror", (error) => page.trouble.push(error.message));
  page.on(
    "request",
    (request) => !request.url().startsWith("file:") && page.trouble.push(`asked for ${request.url()}`),
  );
  await page.goto(pathToFileURL(file).href + hash);
  await ready(page);
  return page;
}

export const ready = (page) => page.waitForSelector("html[data-ready]", { timeout: 20_000 });

// Does what leads to another view, and waits until that is shown.
export async function follow(page, act) {
  await page.evaluate(() => {
    window.followed = new Promise((resolve) =>
      window.addEventListener("hashchange", () => setTimeout(resolve), { once: true }),
    );
  });
  await act();
  await page.evaluate(() => window.followed);
}

// Goes to an address within the docs, as a link does.
export const go = (page, hash) =>
  follow(page, () =>
    page.evaluate((to) => {
      location.hash = to;
    }, hash),
  );

export const text = async (page, selector) => (await page.locator(selector).first().innerText()).trim();

export function isQuiet(page) {
  assert.deepEqual(page.trouble, []);
}

// Nothing on the page is wider than the window.
export async function fitsItsWidth(page) {
  assert.equal(
    await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth),
    true,
    `${page.url()} is wider than its window`,
  );
}
