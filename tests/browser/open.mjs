// How long the docs take to open: node open.mjs FILE TIMES prints, as JSON, the milliseconds from the start of the navigation until the
// first view is painted, for each of so many browsers that are fresh but for the first, which warms the disk's cache.

import { openDocs, withBrowser } from "./browser.mjs";

const [file, times, hash = ""] = process.argv.slice(2);
const took = [];
for (let time = 0; time <= Number(times); time += 1) {
  took.push(
    await withBrowser(async (browser) => {
      const page = await openDocs(browser, file, { hash });
      return page.evaluate(
        () =>
          new Promise((resolve) => {
            requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
          }),
      );
    }),
  );
}
console.log(JSON.stringify(took.slice(1)));
