// The rows of a log that are in the page: a window of it, never more than ROWS_MAX, moved by scrolling.

import { gapRow, holeRow, lineRow, pens, setHole } from "./log_rows.js";

export const ROWS_MAX = 2000;
const PAGE = 400;
const NEAR = 800;
const BEYOND = Number.MAX_SAFE_INTEGER;

export class Window {
  constructor(scroller, rows, source, tell) {
    Object.assign(this, { scroller, rows, source, tell });
    this.gaps = [];
    this.total = 0;
    this.ink = pens();
    this.generation = 0;
    this.busy = this.loaded = false; // until then the rows are the server's
    scroller.addEventListener("scroll", () => this.look(), { passive: true });
    rows.addEventListener("click", (click) => {
      const hole = click.target.closest(".line-hole");
      if (hole) this.fill(hole, true);
    });
  }

  // Nothing is shown; the next line to show is `first`.
  clear(first) {
    this.first = first;
    this.last = first - 1;
    this.supersede();
    this.loaded = true;
    this.rows.replaceChildren();
  }

  get atEnd() {
    return this.last >= this.total;
  }

  row(number) {
    return this.rows.querySelector(`[id="L${number}"]`);
  }

  // Show the lines around a number; the caller scrolls.
  async show(number) {
    const first = Math.max(1, number - PAGE / 2);
    this.supersede();
    await this.load({ from: first, count: PAGE }, (page) => {
      this.clear(first);
      this.ink = pens();
      this.rows.append(...this.drawn(page.lines, this.ink));
      this.last = page.next === null ? page.total : page.lines.at(-1)[0];
    });
    if (this.source.stream && this.rows.childElementCount < 50) await this.earlier();
  }

  // Show the end of the log.
  async showEnd() {
    this.supersede();
    await this.load({ before: BEYOND, count: PAGE }, (page) => {
      this.clear(page.lines.length === PAGE ? page.lines[0][0] : 1);
      this.ink = pens();
      this.rows.append(...this.drawn(page.lines, this.ink));
      this.last = page.total;
    });
  }

  // What is being loaded is not wanted any more.
  supersede() {
    this.generation += 1;
    this.busy = false;
  }

  async earlier() {
    if (this.first <= 1) return;
    await this.load({ before: this.first, count: PAGE }, (page) => {
      const height = this.scroller.scrollHeight;
      this.rows.prepend(...this.drawn(page.lines, pens()));
      this.first = page.lines.length === PAGE ? page.lines[0][0] : 1;
      this.scroller.scrollTop += this.scroller.scrollHeight - height;
      this.trimEnd();
    });
  }

  async later() {
    if (this.atEnd) return;
    await this.load({ from: this.last + 1, count: PAGE }, (page) => {
      this.rows.append(...this.drawn(page.lines, this.ink));
      this.last = page.next === null ? page.total : page.lines.at(-1)[0];
      this.trimStart();
    });
  }

  // One page at a time; an answer that comes after the window moved elsewhere is thrown away.
  async load(where, use) {
    if (this.busy) return;
    this.busy = true;
    const generation = this.generation;
    try {
      const page = await this.source.page(where);
      if (generation !== this.generation) return;
      this.total = Math.max(this.total, page.total);
      use(page);
      this.changed();
    } catch (error) {
      this.tell.trouble(error.message);
    } finally {
      if (generation === this.generation) this.busy = false;
    }
  }

  // Lines that were just written. They are only counted while the window is elsewhere, or full and being read;
  // followed, what was missed before them becomes a hole.
  take(lines, following) {
    const from = lines[0][0];
    this.total = Math.max(this.total, lines.at(-1)[0]);
    const missed = this.last < from - 1;
    if (this.busy || !this.loaded || (!following && (missed || this.rows.childElementCount >= ROWS_MAX))) return false;
    if (missed) {
      this.rows.append(holeRow(this.last + 1, from - 1));
      this.ink = pens();
    }
    const fresh = lines.filter(([number]) => number > this.last);
    const wanted = this.source.stream ? fresh.filter(([, stream]) => stream === this.source.stream) : fresh;
    this.rows.append(...this.drawn(wanted, this.ink));
    this.last = Math.max(this.last, lines.at(-1)[0]);
    if (following) this.trimStart();
    this.changed();
    return true;
  }

  // Load a hole from the side it is read from.
  async fill(hole, fromTop) {
    const from = Number(hole.dataset.from);
    const to = Number(hole.dataset.to);
    const start = fromTop ? from : Math.max(from, to - PAGE + 1);
    const end = fromTop ? Math.min(to, from + PAGE - 1) : to;
    await this.load({ from: start, count: end - start + 1 }, (page) => {
      const height = this.scroller.scrollHeight;
      const lines = this.drawn(page.lines.filter(([number]) => number <= end), pens());
      if (fromTop) hole.before(...lines);
      else hole.after(...lines);
      if (from === start && to === end) hole.remove();
      else setHole(hole, fromTop ? end + 1 : from, fromTop ? to : start - 1);
      if (fromTop) this.trimStart();
      else {
        this.scroller.scrollTop += this.scroller.scrollHeight - height;
        this.trimEnd();
      }
    });
  }

  drawn(lines, ink) {
    return lines.map((line) => lineRow(line, ink));
  }

  trimStart() {
    const extra = this.rows.childElementCount - ROWS_MAX;
    if (extra <= 0) return;
    const height = this.scroller.scrollHeight;
    for (let i = 0; i < extra; i++) this.rows.firstChild.remove();
    this.first = firstOf(this.rows.firstChild.dataset);
    this.scroller.scrollTop -= height - this.scroller.scrollHeight;
  }

  trimEnd() {
    const extra = this.rows.childElementCount - ROWS_MAX;
    if (extra <= 0) return;
    for (let i = 0; i < extra; i++) this.rows.lastChild.remove();
    this.last = lastOf(this.rows.lastChild.dataset);
    this.ink = pens();
  }

  // Declared gaps stand behind the last line kept before them.
  placeGaps() {
    for (const { after, words } of this.gaps) {
      if (this.rows.querySelector(`.line-gap[data-after="${after}"]`)) continue;
      if (after === 0 && this.first === 1) this.rows.prepend(gapRow(after, words));
      else this.row(after)?.after(gapRow(after, words));
    }
  }

  changed() {
    this.placeGaps();
    this.tell.changed();
    requestAnimationFrame(() => this.look());
  }

  // What is near what is seen has to be there.
  look() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    if (this.busy || !this.loaded || !this.rows.childElementCount) return;
    if (scrollTop < NEAR && this.first > 1) this.earlier();
    else if (this.tell.following()) return;
    else if (scrollHeight - scrollTop - clientHeight < NEAR && !this.atEnd) this.later();
    else this.lookAtHoles();
  }

  lookAtHoles() {
    const box = this.scroller.getBoundingClientRect();
    for (const hole of this.rows.querySelectorAll(".line-hole")) {
      const { top, bottom } = hole.getBoundingClientRect();
      if (bottom > box.top && top < box.bottom) {
        this.fill(hole, top > box.top + box.height / 2);
        return;
      }
    }
  }
}

const firstOf = ({ number, from, after }) => Number(number ?? from ?? Number(after) + 1);
const lastOf = ({ number, to, after }) => Number(number ?? to ?? after);
