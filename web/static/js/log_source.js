// Where lines come from: pages of the run's log, and the stream of what is being written.

export class Source {
  constructor(run) {
    this.address = `/api/runs/${encodeURIComponent(run)}/logs`;
    this.stream = "";
  }

  // {lines: [...], total, next}: the next lines from `from` on, or the last ones before `before`.
  async page(where) {
    return this.ask({ ...where, ...(this.stream && { stream: this.stream }) });
  }

  // {numbers: [...], complete}: the lines that hold `words`.
  async find(words) {
    return this.ask({ q: words, numbers: 1, ...(this.stream && { stream: this.stream }) });
  }

  async ask(parameters) {
    const query = new URLSearchParams({ format: "json", ...parameters });
    const answer = await fetch(`${this.address}?${query}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`the log cannot be read now (${answer.status})`);
    return answer.json();
  }
}

// Follows the log from a line on while its tab is seen; resumes where it stopped.
export class Follower {
  constructor(source, tell) {
    this.source = source;
    this.tell = tell;
    this.last = 0;
    this.done = false;
    this.failures = 0;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.pause() : this.resume()));
    addEventListener("pagehide", () => this.pause());
    addEventListener("pageshow", () => this.resume());
  }

  start(after) {
    this.last = after;
    this.resume();
  }

  resume() {
    if (this.done || this.events || document.hidden) return;
    clearTimeout(this.timer);
    const events = (this.events = new EventSource(`${this.source.address}/stream?from=${this.last + 1}`));
    events.onopen = () => {
      this.failures = 0;
      this.tell.connected(true);
    };
    events.onmessage = (message) => {
      const lines = JSON.parse(message.data);
      this.last = Number(message.lastEventId);
      this.tell.lines(lines);
    };
    events.addEventListener("skipped", (message) => {
      const range = JSON.parse(message.data);
      this.last = Number(message.lastEventId);
      this.tell.skipped(range.from, range.to);
    });
    events.addEventListener("end", (message) => {
      this.done = true;
      this.pause();
      this.tell.ended(JSON.parse(message.data));
    });
    events.onerror = () => {
      this.tell.connected(false);
      if (events.readyState === EventSource.CLOSED) this.again();
    };
  }

  // The browser gives up on an answer that is not 200 (the server starting, the database away); we do not.
  again() {
    this.pause();
    this.failures += 1;
    this.timer = setTimeout(() => this.resume(), Math.min(500 * 2 ** this.failures, 10000));
  }

  pause() {
    clearTimeout(this.timer);
    this.events?.close();
    this.events = undefined;
  }
}
