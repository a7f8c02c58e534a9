// One line of a log as one row, and the rows that stand for lines that are not here.

import { draw, Pen, pieces } from "./ansi.js";

const CHARACTERS_SHOWN_MAX = 4000;

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

// What a script says to us, one line each, stays in the log; it is set apart from what it says to people.
const SAID = /^::(progress|step|group|endgroup|notice|warning|error)\b/;

export const pens = () => ({ stdout: new Pen(), stderr: new Pen() });

// `line` is [number, stream, milliseconds, text] and, for a part of a longer line, false.
export function lineRow([number, stream, at, text, whole], ink) {
  const row = make("div", stream === "stderr" ? "line line-err" : "line");
  const said = SAID.exec(text);
  if (said) row.classList.add("line-said", `said-${said[1]}`);
  row.id = `L${number}`;
  row.dataset.number = number;
  const link = make("a", "line-number", number);
  link.href = `#L${number}`;
  const time = make("time", "line-time", clock.format(at));
  time.dateTime = new Date(at).toISOString();
  time.title = day.format(at);
  const mark = make("span", "line-stream", stream === "stderr" ? "err" : "");
  row.append(link, time, mark, textCell(text, ink[stream]));
  if (whole === false) row.append(make("span", "line-part", "↩ goes on", "This line is longer than one row of the log"));
  return row;
}

function textCell(text, pen) {
  const cell = make("span", "line-text");
  const found = pieces(text, pen);
  const left = draw(cell, found, CHARACTERS_SHOWN_MAX);
  if (left) {
    const more = make("button", "line-more", `show ${left.toLocaleString()} more characters`);
    more.type = "button";
    more.onclick = () => {
      cell.replaceChildren();
      draw(cell, found, Infinity);
    };
    cell.append(" ", more);
  }
  return cell;
}

// Lines that exist and are not loaded; seen, it asks for them.
export function holeRow(from, to) {
  const row = make("div", "line-hole");
  row.append(make("button", "line-hole-button"));
  row.firstChild.type = "button";
  return setHole(row, from, to);
}

export function setHole(row, from, to) {
  row.dataset.from = from;
  row.dataset.to = to;
  const count = to - from + 1;
  row.firstChild.textContent = `${count.toLocaleString()} ${count === 1 ? "line" : "lines"} came too fast to show here: load`;
  return row;
}

// Lines that were never kept, and why.
export function gapRow(after, words) {
  const row = make("div", "line-gap", words);
  row.dataset.after = after;
  return row;
}

export function make(name, className, text, title) {
  const element = document.createElement(name);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  if (title) element.title = title;
  return element;
}
