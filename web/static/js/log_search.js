// Searching the whole log: the server finds the lines, the page marks the words in those it shows.

const DELAY = 250;

export class Search {
  constructor(viewer) {
    this.viewer = viewer;
    this.numbers = [];
    this.words = "";
    this.at = -1;
    const field = viewer.part("words");
    field.addEventListener("input", () => this.soon(field.value));
    field.addEventListener("keydown", (press) => {
      if (press.key === "Enter") {
        press.preventDefault();
        if (field.value === this.words) this.step(press.shiftKey ? -1 : 1);
        else this.find(field.value);
      } else if (press.key === "Escape") {
        field.value = "";
        this.find("");
      }
    });
    viewer.part("next").onclick = () => this.step(1);
    viewer.part("previous").onclick = () => this.step(-1);
    this.say();
  }

  soon(words) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.find(words), DELAY);
  }

  again() {
    if (this.words) this.find(this.words);
  }

  async find(words) {
    clearTimeout(this.timer);
    this.words = words;
    this.numbers = [];
    this.complete = true;
    this.at = -1;
    if (words) {
      this.say("searching…");
      try {
        const found = await this.viewer.source.find(words);
        if (this.words !== words) return;
        this.numbers = found.numbers;
        this.complete = found.complete;
        this.at = this.numbers.findIndex((number) => number >= this.viewer.firstSeen()) - 1;
        if (this.at === -2) this.at = -1;
      } catch (error) {
        this.say(error.message);
        return;
      }
    }
    if (this.numbers.length) await this.step(1);
    else {
      this.mark();
      this.say();
    }
  }

  async step(by) {
    const count = this.numbers.length;
    if (!count) return;
    this.at = (this.at + by + count) % count;
    this.say();
    await this.viewer.goTo(this.numbers[this.at]);
  }

  say(words) {
    const { part } = this.viewer;
    const count = this.numbers.length;
    const all = `${count.toLocaleString()}${this.complete ? "" : "+"}`;
    part("hits").textContent = words ?? (!this.words ? "" : count ? `${this.at + 1} of ${all}` : "not found");
    part("next").disabled = part("previous").disabled = !count;
  }

  // Mark the words with the browser's own highlights, which leave the rows as they are.
  mark() {
    const current = this.numbers[this.at];
    for (const row of this.viewer.window.rows.querySelectorAll(".line-current")) row.classList.remove("line-current");
    if (current) this.viewer.window.row(current)?.classList.add("line-current");
    if (!window.CSS?.highlights) return;
    CSS.highlights.delete("log-words");
    if (!this.words) return;
    const ranges = [];
    for (const cell of this.viewer.window.rows.querySelectorAll(".line-text")) ranges.push(...rangesIn(cell, this.words.toLowerCase()));
    CSS.highlights.set("log-words", new Highlight(...ranges));
  }
}

// Words may begin in one span and end in another.
function rangesIn(cell, words) {
  const text = cell.textContent.toLowerCase();
  const ranges = [];
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
    const range = new Range();
    range.setStart(...place(cell, at));
    range.setEnd(...place(cell, at + words.length));
    ranges.push(range);
  }
  return ranges;
}

function place(cell, offset) {
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  let node = walk.nextNode();
  while (offset > node.length) {
    offset -= node.length;
    node = walk.nextNode();
  }
  return [node, offset];
}
