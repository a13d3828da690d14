// Descriptions: the Markdown that is common in them, as elements. What looks like HTML is text, and links lead to the
// web, to mail or to a place in these docs and to nothing else.

import { h, tableHead } from "./dom.js";

const INLINE = [
  [/^`([^`]+)`/, (found) => h("code", {}, found[1])],
  [/^\*\*([^]+?)\*\*(?!\*)/, (found) => h("strong", {}, inline(found[1]))],
  [/^\*([^\s*](?:[^*]*[^\s*])?)\*/, (found) => h("em", {}, inline(found[1]))],
  [/^_([^\s_](?:[^_]*[^\s_])?)_(?!\w)/, (found) => h("em", {}, inline(found[1]))],
  [/^~~([^~]+)~~/, (found) => h("s", {}, inline(found[1]))],
  [/^\[([^\]]+)\]\(([^()\s]+)\)/, (found) => link(found[2], inline(found[1]))],
  [/^https?:\/\/[^\s<>()]*[^\s<>().,;:!?'"]/, (found) => link(found[0], found[0])],
  [/^\\([\\`*_~[\]()#+.!|>-])/, (found) => found[1]],
];
const MAY_BEGIN = /[`*_~[\\h]/;

export function link(to, content) {
  if (!/^(https?:\/\/|mailto:|#\/)/i.test(to)) return [content].flat();
  const elsewhere = to.startsWith("#/") ? {} : { rel: "noreferrer noopener", target: "_blank" };
  return h("a", { href: to, ...elsewhere }, content);
}

function inline(text) {
  const parts = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at);
    const isWithinWord = /\w/.test(text[at - 1] || " ");
    let found = null;
    if (MAY_BEGIN.test(text[at]) && !(isWithinWord && /[_h]/.test(text[at]))) {
      for (const [pattern, make] of INLINE) {
        found = pattern.exec(rest);
        if (found) {
          if (plain) parts.push(plain);
          plain = "";
          parts.push(make(found));
          at += found[0].length;
          break;
        }
      }
    }
    if (!found) {
      plain += text[at];
      at += 1;
    }
  }
  if (plain) parts.push(plain);
  return parts;
}

const LIST_ITEM = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const cells = (row) =>
  row
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => inline(cell.trim()));

// The blocks of a text, as elements.
export function markdown(text) {
  const lines = text.replace(/\r/g, "").split("\n");
  const blocks = [];
  const isBlock = (line) => /^\s*(#{1,6}\s|```|>)/.test(line) || LIST_ITEM.test(line);
  while (lines.length > 0) {
    const line = lines.shift();
    const heading = /^\s*(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (!line.trim()) continue;
    if (/^\s*```/.test(line)) {
      const code = [];
      while (lines.length > 0 && !/^\s*```/.test(lines[0])) code.push(lines.shift());
      lines.shift();
      blocks.push(h("pre", { tabindex: 0 }, h("code", {}, code.join("\n"))));
    } else if (heading) {
      // The page's own headings stand above those of a description.
      blocks.push(h(`h${Math.min(6, heading[1].length + 3)}`, {}, inline(heading[2])));
    } else if (/^\s*>/.test(line)) {
      const quoted = [line];
      while (lines.length > 0 && /^\s*>/.test(lines[0])) quoted.push(lines.shift());
      blocks.push(h("blockquote", {}, markdown(quoted.map((one) => one.replace(/^\s*>\s?/, "")).join("\n"))));
    } else if (LIST_ITEM.test(line)) {
      const items = [LIST_ITEM.exec(line)];
      while (lines.length > 0 && lines[0].trim()) {
        const next = LIST_ITEM.exec(lines[0]);
        if (next) items.push(next);
        else items[items.length - 1][2] += ` ${lines[0].trim()}`;
        lines.shift();
      }
      blocks.push(
        h(
          items[0][1] ? "ol" : "ul",
          {},
          items.map((item) => h("li", {}, inline(item[2]))),
        ),
      );
    } else if (line.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[0] || "")) {
      lines.shift();
      const rows = [];
      while (lines.length > 0 && lines[0].includes("|")) rows.push(cells(lines.shift()));
      const head = tableHead(...cells(line).map((cell) => [cell]));
      blocks.push(
        h(
          "div",
          { class: "wide" },
          h(
            "table",
            {},
            head,
            h(
              "tbody",
              {},
              rows.map((row) =>
                h(
                  "tr",
                  {},
                  row.map((cell) => h("td", {}, cell)),
                ),
              ),
            ),
          ),
        ),
      );
    } else {
      const paragraph = [line.trim()];
      while (lines.length > 0 && lines[0].trim() && !isBlock(lines[0])) paragraph.push(lines.shift().trim());
      blocks.push(h("p", {}, inline(paragraph.join(" "))));
    }
  }
  return blocks;
}

// A description in one line: its first sentence without marks.
export function inOneLine(text) {
  const paragraph = (text || "")
    .trim()
    .split(/\n\s*\n/)[0]
    .replace(/[`*]|^#+\s/g, "")
    .replace(/\s+/g, " ");
  const sentence = /^.{12,}?[.!?](?=\s[A-Z])/.exec(paragraph);
  return sentence ? sentence[0] : paragraph;
}
