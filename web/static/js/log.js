// The log viewer: follows what is being written, goes anywhere in what was written, links to lines, searches.

import { Follower, Source } from "./log_source.js";
import { Search } from "./log_search.js";
import { Window } from "./log_window.js";

const NEAR_END = 16;

class Viewer {
  constructor(panel) {
    this.panel = panel;
    this.part = (name) => panel.querySelector(`[data-log="${name}"]`);
    this.scroller = this.part("scroller");
    this.source = new Source(panel.dataset.run);
    this.window = new Window(this.scroller, this.part("rows"), this.source, this);
    this.search = new Search(this);
    this.live = panel.dataset.over !== "yes";
    this.follow = false;
    this.unseen = 0;
    this.anchor = null;
    this.readGaps();
    this.tools();
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.scroller.addEventListener("keydown", (press) => this.pressed(press));
    this.part("rows").addEventListener("click", (click) => this.clicked(click));
    addEventListener("hashchange", () => this.goToHash());
    document.body.addEventListener("htmx:after:swap", () => this.readGaps());
    this.begin();
  }

  async begin() {
    this.window.total = Number(this.panel.dataset.lines);
    if (!(await this.goToHash())) {
      await this.window.showEnd();
      this.setFollow(this.live);
      this.toEnd();
    }
    if (this.live && !this.follower && this.window.loaded) {
      this.follower = new Follower(this.source, this);
      this.follower.start(this.window.total);
    }
    this.changed();
  }

  // What the stream tells.

  lines(lines) {
    const taken = this.window.take(lines, this.follow);
    if (this.follow && taken) this.toEnd();
    else this.unseen += lines.length;
    this.changed();
  }

  skipped(from, to) {
    this.window.total = Math.max(this.window.total, to);
    if (!this.follow) this.unseen += to - from + 1;
    this.changed();
  }

  ended({ lines }) {
    this.live = false;
    this.window.total = Math.max(this.window.total, lines);
    this.setFollow(false);
    this.window.look();
    this.changed();
  }

  connected(yes) {
    this.cut = !yes;
    this.changed();
  }

  // What the window tells.

  following() {
    return this.follow;
  }

  trouble(words) {
    this.part("trouble").textContent = words;
    clearTimeout(this.calm);
    this.calm = setTimeout(() => {
      this.part("trouble").textContent = "";
      if (this.window.loaded) this.window.look();
      else this.begin();
    }, 3000);
  }

  changed() {
    const { total, rows } = this.window;
    if (this.follow) this.unseen = 0;
    const newer = this.part("newer");
    newer.hidden = this.follow || (!this.unseen && (this.atEnd() || !total));
    newer.textContent = this.unseen ? `${this.unseen.toLocaleString()} new ${this.unseen === 1 ? "line" : "lines"} ↓` : "To the end ↓";
    this.part("follow").setAttribute("aria-pressed", this.follow);
    this.part("follow").hidden = !this.live;
    this.part("empty").hidden = total > 0 || rows.childElementCount > 0;
    this.part("count").textContent = this.words(total);
    this.mark();
    this.search.mark();
  }

  words(total) {
    const lines = `${total.toLocaleString()} ${total === 1 ? "line" : "lines"}`;
    if (!this.live || !total) return total ? lines : "";
    return this.cut ? `${lines}, reconnecting…` : this.follow ? `${lines}, following` : `${lines}, live`;
  }

  // Following: on at the end, off when somebody scrolls up.

  atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    return this.window.atEnd && scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.lastTop = this.scroller.scrollTop;
  }

  scrolled() {
    const up = this.scroller.scrollTop < (this.lastTop ?? 0) - 2;
    this.lastTop = this.scroller.scrollTop;
    if (this.follow && up && !this.atEnd()) this.setFollow(false);
    else if (!this.follow && !up && this.atEnd()) {
      this.unseen = 0;
      if (this.live) this.setFollow(true);
      else this.changed();
    }
  }

  setFollow(yes) {
    if (this.follow === yes) return;
    this.follow = yes;
    this.changed();
  }

  async goToEnd() {
    if (!this.window.atEnd) await this.window.showEnd();
    this.unseen = 0;
    this.setFollow(this.live);
    this.toEnd();
    this.changed();
  }

  // Places: #L120 and #L120-L140.

  async goToHash() {
    const found = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(location.hash);
    this.marked = found && [Number(found[1]), Number(found[2] ?? found[1])].sort((a, b) => a - b);
    if (!found) {
      this.mark();
      return false;
    }
    this.anchor = this.marked[0];
    await this.goTo(this.marked[0]);
    this.panel.scrollIntoView({ block: "nearest" });
    return true;
  }

  async goTo(number) {
    this.setFollow(false);
    const wanted = Math.max(1, Math.min(number, this.window.total || number));
    if (!this.window.loaded || !this.window.row(wanted)) await this.window.show(wanted);
    const row = this.window.row(wanted);
    if (row) this.scroller.scrollTop = row.offsetTop - this.scroller.clientHeight / 3;
    this.lastTop = this.scroller.scrollTop;
    this.changed();
    return row;
  }

  mark() {
    const [from, to] = this.marked ?? [0, -1];
    for (const row of this.window.rows.children) {
      const number = Number(row.dataset.number);
      row.classList.toggle("line-marked", number >= from && number <= to);
    }
  }

  clicked(click) {
    const link = click.target.closest(".line-number");
    if (!link || click.metaKey || click.ctrlKey) return;
    click.preventDefault();
    const number = Number(link.parentElement.dataset.number);
    const from = click.shiftKey && this.anchor ? Math.min(this.anchor, number) : number;
    const to = click.shiftKey && this.anchor ? Math.max(this.anchor, number) : number;
    if (!click.shiftKey) this.anchor = number;
    this.marked = [from, to];
    history.replaceState(null, "", from === to ? `#L${from}` : `#L${from}-L${to}`);
    this.setFollow(false);
    this.mark();
  }

  // Gaps the run declared are in the page, because they are events of the run.
  readGaps() {
    const items = document.querySelectorAll("[data-gap-after]");
    this.window.gaps = [...items].map((item) => ({ after: Number(item.dataset.gapAfter), words: item.dataset.gapWords }));
    this.window.placeGaps();
  }

  // Tools and keys.

  tools() {
    for (const name of ["times", "wrap"]) this.toggle(name, localStorage.getItem(`log-${name}`) === "yes");
    this.panel.addEventListener("click", (click) => {
      const name = click.target.closest("[data-log-toggle]")?.dataset.logToggle;
      if (name) this.toggle(name, !this.panel.classList.contains(`log-${name}`));
    });
    this.part("follow").onclick = () => (this.follow ? this.setFollow(false) : this.goToEnd());
    this.part("newer").onclick = () => this.goToEnd();
    this.part("first").onclick = () => this.goTo(1);
    this.part("stream").onchange = async (change) => {
      this.source.stream = change.target.value;
      const at = this.follow ? null : this.firstSeen();
      this.window.clear(1);
      await (at ? this.goTo(at) : this.goToEnd());
      this.search.again();
    };
    this.part("line").onchange = (change) => {
      const number = Number(change.target.value);
      if (number >= 1) location.hash = `L${Math.floor(number)}`;
      change.target.value = "";
    };
  }

  toggle(name, on) {
    const kept = this.follow ? null : this.window.row(this.firstSeen());
    this.panel.classList.toggle(`log-${name}`, on);
    this.panel.querySelector(`[data-log-toggle="${name}"]`)?.setAttribute("aria-pressed", on);
    localStorage.setItem(`log-${name}`, on ? "yes" : "no");
    if (kept) this.scroller.scrollTop = kept.offsetTop;
    else if (this.follow) this.toEnd();
  }

  firstSeen() {
    const top = this.scroller.scrollTop;
    for (const row of this.window.rows.children)
      if (row.dataset.number && row.offsetTop + row.offsetHeight > top) return Number(row.dataset.number);
    return this.window.first;
  }

  pressed(press) {
    if (press.ctrlKey || press.metaKey || press.altKey) return;
    const act = {
      f: () => this.part("follow").click(),
      t: () => this.toggle("times", !this.panel.classList.contains("log-times")),
      w: () => this.toggle("wrap", !this.panel.classList.contains("log-wrap")),
      n: () => this.search.step(1),
      N: () => this.search.step(-1),
      "/": () => this.part("words").focus(),
      Home: () => this.goTo(1),
      End: () => this.goToEnd(),
    }[press.key];
    if (!act) return;
    press.preventDefault();
    act();
  }
}

for (const panel of document.querySelectorAll("[data-log-panel]")) new Viewer(panel);
