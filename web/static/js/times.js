// Times in words of now: "3 min ago", a running clock; the exact time stays in the title.

const steps = [
  [60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [604800, 86400, "day"],
  [2629800, 604800, "week"], [31557600, 2629800, "month"], [Infinity, 31557600, "year"],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

// The server's clock decides, so that a wrong one here cannot make times negative.
const skew = Date.parse(document.body.dataset.now) - Date.now();
const now = () => Date.now() + skew;

function ago(milliseconds) {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 5) return "just now";
  const [, size, unit] = steps.find(([below]) => seconds < below);
  return relative.format(-Math.floor(seconds / size), unit);
}

export function lasting(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 60) return `${seconds.toFixed(0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const at = Date.parse(element.dateTime);
    write(element, ago(now() - at));
    if (!element.dataset.titled) {
      element.title = exact.format(at);
      element.dataset.titled = "yes";
    }
  }
  for (const element of document.querySelectorAll("time[data-clock]")) {
    const at = Date.parse(element.dateTime);
    write(element, clock.format(at));
    element.title = exact.format(at);
  }
  for (const element of document.querySelectorAll("[data-since]")) write(element, lasting(now() - Date.parse(element.dataset.since)));
}

tick();
setInterval(tick, 1000);
document.body.addEventListener("htmx:after:swap", tick);
