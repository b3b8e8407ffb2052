// Dark or light: what the system says, until the reader says otherwise. Runs before anything is drawn, so that nothing flashes.
"use strict";
const Theme = (() => {
  const NAMES = ["system", "light", "dark"], KEY = "logitbench-theme", root = document.documentElement, watchers = [];

  // A browser may refuse to keep anything, from disk most of all; then the choice holds for this page.
  function kept() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }
  function keep(name) {
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // Not kept, then.
    }
  }

  function set(name) {
    root.dataset.theme = NAMES.includes(name) ? name : NAMES[0];
  }
  const changed = () => { for (const redraw of watchers) redraw(); };
  function next() {
    set(NAMES[(NAMES.indexOf(root.dataset.theme) + 1) % NAMES.length]);
    keep(root.dataset.theme);
    changed();
  }

  // Paper is light and narrow, and nothing on it can be opened.
  let opened = [];
  addEventListener("beforeprint", () => {
    root.classList.add("paper");
    opened = [...document.querySelectorAll("main details:not([open], .data)")];
    for (const details of opened) details.open = true;
    changed();
  });
  addEventListener("afterprint", () => {
    root.classList.remove("paper");
    for (const details of opened) details.open = false;
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  set(kept());
  return { get name() { return root.dataset.theme; }, next, watch: (redraw) => watchers.push(redraw) };
})();
