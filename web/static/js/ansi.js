// Terminal text to spans: colours and emphasis by SGR, overwriting by \r, everything else removed.
// Text only ever enters the page as textContent.

const CELLS_MAX = 65536;
const SEQUENCE =
  /\x1b\[([0-9;:]*)m|(?:\x1b\[|\x9b)[0-?]*[ -/]*([@-~])|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c|$)|\x1b[ -/]*[0-~]?|[\x80-\x9f]/g;

export class Pen {
  constructor() {
    this.reset();
  }

  reset() {
    this.fg = this.bg = null;
    this.bold = this.dim = this.italic = this.underline = this.strike = this.inverse = false;
  }

  // One SGR sequence's numbers, as in ECMA-48 8.3.117 with the 256-colour and true-colour additions.
  set(numbers) {
    const codes = numbers.split(/[;:]/).map(Number);
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i];
      if (code === 38 || code === 48) {
        const [colour, taken] = extended(codes, i + 1);
        if (colour !== null) this[code === 38 ? "fg" : "bg"] = colour;
        i += taken;
      } else this.apply(code);
    }
  }

  apply(code) {
    if (code === 0) this.reset();
    else if (code === 1) this.bold = true;
    else if (code === 2) this.dim = true;
    else if (code === 3) this.italic = true;
    else if (code === 4) this.underline = true;
    else if (code === 7) this.inverse = true;
    else if (code === 9) this.strike = true;
    else if (code === 22) this.bold = this.dim = false;
    else if (code === 23) this.italic = false;
    else if (code === 24) this.underline = false;
    else if (code === 27) this.inverse = false;
    else if (code === 29) this.strike = false;
    else if (code >= 30 && code <= 37) this.fg = code - 30;
    else if (code === 39) this.fg = null;
    else if (code >= 40 && code <= 47) this.bg = code - 40;
    else if (code === 49) this.bg = null;
    else if (code >= 90 && code <= 97) this.fg = code - 82;
    else if (code >= 100 && code <= 107) this.bg = code - 92;
  }

  // What two pieces of text must agree in to be one span; "" is plain text.
  look() {
    const [fg, bg] = this.inverse ? [this.bg ?? "paper", this.fg ?? "ink"] : [this.fg, this.bg];
    const words = [];
    if (fg !== null) words.push(typeof fg === "number" ? `ansi-f${fg}` : `f:${fg}`);
    if (bg !== null) words.push(typeof bg === "number" ? `ansi-b${bg}` : `b:${bg}`);
    for (const word of ["bold", "dim", "italic", "underline", "strike"]) if (this[word]) words.push(`ansi-${word}`);
    return words.join(" ");
  }
}

function extended(codes, at) {
  if (codes[at] === 5) {
    const index = codes[at + 1];
    if (!(index >= 0 && index <= 255)) return [null, 2];
    if (index < 16) return [index, 2];
    if (index >= 232) return [rgb(Array(3).fill(8 + (index - 232) * 10)), 2];
    const cube = index - 16;
    const steps = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6];
    return [rgb(steps.map((step) => (step ? 55 + step * 40 : 0))), 2];
  }
  if (codes[at] === 2) {
    const parts = codes.slice(at + 1, at + 4);
    return [parts.length === 3 && parts.every((part) => part >= 0 && part <= 255) ? rgb(parts) : null, 4];
  }
  return [null, 1];
}

const rgb = (parts) => `rgb(${parts.join(" ")})`;

// The pieces of a line: [text, look]. The pen goes on to the next line.
export function pieces(text, pen) {
  if (!/[\x00-\x08\x0a-\x1f\x7f-\x9f]/.test(text)) return text ? [[text, pen.look()]] : [];
  return /[\r\b]|\x1b\[[0-?]*K/.test(text) ? overwritten(text.slice(-CELLS_MAX), pen) : appended(text, pen);
}

function* tokens(text) {
  let at = 0;
  for (const match of text.matchAll(SEQUENCE)) {
    if (match.index > at) yield { text: text.slice(at, match.index) };
    if (match[1] !== undefined) yield { sgr: match[1] };
    else if (match[2] === "K") yield { erase: Number(match[0].slice(2, -1)) || 0 };
    at = match.index + match[0].length;
  }
  if (at < text.length) yield { text: text.slice(at) };
}

function appended(text, pen) {
  const found = [];
  for (const token of tokens(text)) {
    if (token.sgr !== undefined) pen.set(token.sgr);
    else if (token.text) found.push([pictured(token.text), pen.look()]);
  }
  return found;
}

function overwritten(text, pen) {
  const cells = [];
  let column = 0;
  for (const token of tokens(text)) {
    if (token.sgr !== undefined) pen.set(token.sgr);
    else if (token.erase === 0) cells.length = Math.min(cells.length, column);
    else if (token.erase !== undefined) cells.fill([" ", ""], 0, token.erase === 2 ? undefined : column + 1);
    else {
      const look = pen.look();
      for (const character of token.text) {
        if (character === "\r") column = 0;
        else if (character === "\b") column = Math.max(0, column - 1);
        else {
          while (cells.length < column) cells.push([" ", ""]);
          cells[column++] = [pictured(character), look];
        }
      }
    }
  }
  return joined(cells);
}

function joined(cells) {
  const found = [];
  for (const [character, look] of cells) {
    const last = found.at(-1);
    if (last && last[1] === look) last[0] += character;
    else found.push([character, look]);
  }
  return found;
}

// Control characters that mean nothing on a page are shown by their pictures: U+2400 to U+2421.
const pictured = (text) =>
  text.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, (c) => String.fromCharCode(c === "\x7f" ? 0x2421 : 0x2400 + c.charCodeAt(0)));

// Draw pieces into an element, at most `limit` characters; how many were left out.
export function draw(element, found, limit) {
  let room = limit;
  let left = 0;
  for (const [text, look] of found) {
    const shown = text.slice(0, room);
    room -= shown.length;
    left += text.length - shown.length;
    if (!shown) continue;
    if (!look) element.append(shown);
    else element.append(span(shown, look));
  }
  return left;
}

function span(text, look) {
  const made = document.createElement("span");
  made.textContent = text;
  for (const word of look.split(/ (?=ansi-|[fb]:)/)) {
    if (word === "f:paper") made.classList.add("ansi-on-ink");
    else if (word === "b:ink") made.classList.add("ansi-ink");
    else if (word.startsWith("f:")) colour(made, "ansi-fg", word.slice(2));
    else if (word.startsWith("b:")) colour(made, "ansi-bg", word.slice(2));
    else made.classList.add(word);
  }
  return made;
}

// The style sheet makes a script's own colour light or dark enough to be read on our paper.
function colour(made, name, value) {
  made.classList.add(name);
  made.style.setProperty(`--${name}`, value);
}
