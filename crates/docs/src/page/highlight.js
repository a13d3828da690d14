// SQL with Jinja, in colours: strings, comments, numbers, words of the language, and what stands in braces.

import { h } from "./dom.js";

const TOKENS =
  /(\{#[^]*?#\}|--[^\n]*|\/\*[^]*?\*\/)|(\{\{[^]*?\}\}|\{%[^]*?%\})|('(?:[^']|'')*')|("(?:[^"]|"")*")|\b(\d+(?:\.\d+)?)\b|([A-Za-z_][A-Za-z0-9_]*)/g;
const WORDS = new Set(
  (
    "all and any array as asc between both by case cast cross cube current_date current_timestamp date desc distinct else end escape " +
    "except exists extract false fetch filter first following for from full group grouping having if ilike in inner intersect interval into is " +
    "join last lateral leading left like limit natural not null nulls offset on or order outer over partition preceding qualify range recursive right " +
    "rollup row rows select sets similar some table then timestamp to trailing true try_cast unbounded union unnest using values when where window with within"
  ).split(" "),
);
const CLASSES = [null, "sql-comment", "sql-jinja", "sql-text", null, "sql-number"];

export function highlighted(sql) {
  const parts = [];
  let from = 0;
  for (const token of sql.matchAll(TOKENS)) {
    let style = CLASSES[token.findIndex((group, index) => index > 0 && group !== undefined)];
    if (token[6] && WORDS.has(token[6].toLowerCase())) style = "sql-word";
    if (!style) continue;
    if (token.index > from) parts.push(sql.slice(from, token.index));
    parts.push(h("span", { class: style }, token[0]));
    from = token.index + token[0].length;
  }
  parts.push(sql.slice(from));
  return parts;
}
