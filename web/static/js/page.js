// Small comforts: copying, choosing light or dark without a reload, one press one run, keys that lead around.

document.addEventListener("click", async (click) => {
  const copy = click.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    const before = copy.textContent;
    copy.textContent = "copied";
    setTimeout(() => (copy.textContent = before), 1500);
  }
});

document.addEventListener("submit", (submit) => {
  const form = submit.target;
  const theme = submit.submitter?.name === "theme" && submit.submitter.value;
  if (theme) {
    submit.preventDefault();
    document.documentElement.dataset.theme = theme;
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
    for (const button of form.elements) if (button.name === "theme") button.setAttribute("aria-pressed", button === submit.submitter);
    return;
  }
  if (form.method === "post") for (const button of form.querySelectorAll("button")) setTimeout(() => (button.disabled = true));
});

// A page taken from the browser's memory comes back as it was left.
addEventListener("pageshow", (shown) => {
  if (shown.persisted) for (const button of document.querySelectorAll("form[method=post] button")) button.disabled = false;
});

let leading = false;
document.addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey || press.target.closest("input, textarea, select, [contenteditable]")) return;
  const to = leading && { d: "/", p: "/pipelines", r: "/runs" }[press.key];
  leading = press.key === "g";
  if (to) location.assign(to);
  else if (press.key === "/" && !press.target.closest("[data-log-panel]")) {
    const field = document.querySelector("[data-search]");
    if (field) {
      press.preventDefault();
      field.focus();
    }
  }
});

document.documentElement.classList.add("js");
