// Follows the server: a newer page is fetched, a problem of the project is shown above the page that is there.

import { byId, h } from "./dom.js";

function followServer() {
  const version = Number(document.documentElement.dataset.version);
  const box = h("div", { class: "problem is-live", role: "alert", hidden: true });
  byId("problem").after(box);
  new EventSource("/changes").addEventListener("message", (event) => {
    const now = JSON.parse(event.data);
    if (now.version !== version) location.reload();
    const words =
      version > 0
        ? "The project has a problem; this is how it was before:"
        : "The project has a problem, so that there are no docs yet:";
    box.replaceChildren(...(now.problem ? [h("p", {}, words), h("pre", { tabindex: 0 }, now.problem)] : []));
    box.hidden = !now.problem;
  });
}

followServer();
