// Numbers, sizes and times for people.

import { h } from "./dom.js";

const NUMBER = new Intl.NumberFormat("en");
const DATE_TIME = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export const count = (number) => NUMBER.format(number);
export const plural = (number, thing) => `${count(number)} ${thing}${number === 1 ? "" : "s"}`;

export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit + 1 < units.length; unit += 1) value /= 1024;
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`;
}

// A number in few characters, for the axes of charts: 1.2M.
export const short = (number) => new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number);

export const seconds = (time) =>
  time < 0.095 ? `${Math.round(time * 1000)} ms` : time < 120 ? `${time.toFixed(1)} s` : `${Math.round(time / 60)} min`;

const SPANS = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [7, "day"],
  [4.345, "week"],
  [12, "month"],
  [Infinity, "year"],
];

// How long ago something was: "3 hours ago".
function ago(at) {
  let span = Math.max(0, (Date.now() - at) / 1000);
  if (span < 45) return "just now";
  for (const [of, unit] of SPANS) {
    if (Math.round(span) < of) return `${plural(Math.round(span), unit)} ago`;
    span /= of;
  }
  return "";
}

export const dateTime = (at) => DATE_TIME.format(new Date(at));

// A moment as its age, with the moment itself at hand.
export const moment = (at) =>
  at === null || at === undefined
    ? "at a time that is not known"
    : h("time", { datetime: new Date(at).toISOString(), title: dateTime(at) }, ago(at));
