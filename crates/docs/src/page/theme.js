// Light or dark: as the system is, until the reader says otherwise.

import { announce, byId, s } from "./dom.js";

const THEMES = ["auto", "light", "dark"];
const THEME_MARKS = {
  auto: "M10 2.8a7.2 7.2 0 1 0 0 14.4a7.2 7.2 0 0 0 0-14.4z M10 4.5v11a5.5 5.5 0 0 0 0-11z",
  light:
    "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7z M10 1.5v2 M10 16.5v2 M1.5 10h2 M16.5 10h2 M4 4l1.4 1.4 M14.6 14.6L16 16 M4 16l1.4-1.4 M14.6 5.4L16 4",
  dark: "M16.5 12.5A7 7 0 0 1 7.5 3.5a7 7 0 1 0 9 9z",
};

// A browser may keep nothing for files; the choice then holds until the page is closed.
function kept(theme) {
  try {
    if (theme) localStorage.setItem("mep-docs-theme", theme);
    return localStorage.getItem("mep-docs-theme");
  } catch {
    return null;
  }
}

export function startTheme() {
  const button = byId("theme");
  let theme = THEMES.includes(kept()) ? kept() : "auto";
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system" : theme}`);
    button.title = button.getAttribute("aria-label");
    button.replaceChildren(
      s(
        "svg",
        { viewBox: "0 0 20 20", "aria-hidden": "true", class: `theme-${theme}` },
        s("path", { d: THEME_MARKS[theme] }),
      ),
    );
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    kept(theme);
    apply();
    announce(button.getAttribute("aria-label"));
  });
  apply();
}
