// One stream a page: the server says what went stale, the elements that show it fetch themselves again.
// A hidden tab holds no connection; seen again, it goes on where it stopped, so nothing is missed.

const body = document.body;
const shown = document.querySelector("[data-live-state]");
const words = { on: "Live", wait: "Reconnecting…", off: "Not live" };
const AGAIN_AFTER_FAILURE = 3000;

let after = body.dataset.mark;
let failures = 0;
let events;
let timer;

const topicsOf = (element) => JSON.parse(element.dataset.topics);
const elements = () => [...document.querySelectorAll("[data-topics]")];
const stale = (element) => element.dispatchEvent(new CustomEvent("stale"));

function say(state) {
  if (!shown) return;
  shown.dataset.state = state;
  shown.textContent = words[state];
}

function open() {
  clearTimeout(timer);
  const topics = new Set(elements().flatMap(topicsOf));
  if (events || document.hidden || !topics.size) return;
  const query = new URLSearchParams({ after, release: body.dataset.release });
  for (const topic of topics) query.append("topic", topic);
  events = new EventSource(`/live?${query}`);
  events.onopen = () => {
    failures = 0;
    say("on");
  };
  events.addEventListener("stale", (message) => {
    after = message.lastEventId;
    const told = new Set(JSON.parse(message.data));
    for (const element of elements()) if (topicsOf(element).some((topic) => told.has(topic))) stale(element);
  });
  events.addEventListener("reload", () => {
    close();
    location.reload();
  });
  events.onerror = () => {
    say("wait");
    if (events?.readyState === EventSource.CLOSED) again();
  };
}

// The browser gives up on an answer that is not 200: the server is starting, or the database is away.
function again() {
  close();
  failures += 1;
  timer = setTimeout(open, Math.min(500 * 2 ** failures, 10000));
}

function close() {
  clearTimeout(timer);
  events?.close();
  events = undefined;
}

// What could not be fetched is as stale as before.
function retry({ detail }) {
  const element = detail.ctx?.sourceElement;
  if (element?.dataset.topics) setTimeout(() => element.isConnected && stale(element), AGAIN_AFTER_FAILURE);
}

body.addEventListener("htmx:error", retry);
body.addEventListener("htmx:response:error", retry);
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
addEventListener("pageshow", open);
open();
