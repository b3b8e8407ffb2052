// Filter with its state in the address, copy buttons. Without scripts every page is complete.
"use strict";
(() => {
  const KEYS = ["q", "backend", "dtype", "status"];
  const near = (node, name) => node.closest(`[data-${name}]`)?.dataset[name] ?? "";

  const readHash = () => {
    const found = new URLSearchParams(location.hash.slice(1));
    return Object.fromEntries(KEYS.map((key) => [key, found.get(key) ?? ""]));
  };
  const isFilter = () => location.hash.includes("=");

  function writeHash(state) {
    const kept = new URLSearchParams(KEYS.filter((key) => state[key]).map((key) => [key, state[key]]));
    const hash = kept.size ? `#${kept}` : "";
    history.replaceState(null, "", hash || location.pathname + location.search);
    keepInLinks(hash);
  }

  // The pages of a report share the filter: links without a target of their own carry it on.
  function keepInLinks(hash) {
    for (const link of document.querySelectorAll(".top nav a, .pager a, .crumb a")) {
      link.href = link.href.split("#")[0] + hash;
    }
  }

  function fill(select, values) {
    for (const value of [...new Set(values)].filter(Boolean).sort()) select.append(new Option(value, value));
  }

  function filter(form) {
    const items = [...document.querySelectorAll("[data-s]")].map((node) => ({
      node,
      status: node.dataset.s,
      dtype: node.dataset.d ?? "",
      backend: near(node, "b"),
      text: [near(node, "t"), node.ariaLabel ?? node.textContent].join(" ").toLowerCase(),
    }));
    const groups = [...document.querySelectorAll("[data-group]")].reverse();
    const columns = [...document.querySelectorAll("[data-col]")];
    const output = form.querySelector("output");
    const fields = form.elements;
    fill(fields.backend, items.map((item) => item.backend));
    fill(fields.dtype, items.map((item) => item.dtype));
    fill(fields.status, items.map((item) => item.status));

    function apply(state) {
      const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const item of items) {
        const fits = ["backend", "dtype", "status"].every((key) => !state[key] || item[key] === state[key]);
        item.on = fits && words.every((word) => item.text.includes(word));
        item.node.classList.toggle("off", !item.on);
        shown += item.on;
      }
      const active = KEYS.some((key) => state[key]);
      for (const group of groups) group.classList.toggle("off", active && !group.querySelector("[data-s]:not(.off)"));
      for (const column of columns) column.classList.toggle("off", Boolean(state.backend) && column.dataset.col !== state.backend);
      const where = document.querySelector(".pager") ? " on this page" : "";
      output.value = `Showing ${shown.toLocaleString("en")} of ${items.length.toLocaleString("en")} ${output.dataset.what}${where}`;
    }

    function load() {
      const state = readHash();
      for (const key of KEYS) fields[key].value = state[key];
      // A value that this page does not have must still filter, and be seen to: it gets an option of its own.
      for (const key of KEYS.slice(1)) {
        if (fields[key].value !== state[key]) {
          fields[key].append(new Option(`${state[key]} (none here)`, state[key]));
          fields[key].value = state[key];
        }
      }
      apply(state);
      if (isFilter()) keepInLinks(location.hash);
    }

    function change() {
      const state = Object.fromEntries(KEYS.map((key) => [key, fields[key].value.trim()]));
      writeHash(state);
      apply(state);
    }
    form.addEventListener("input", change);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(change));
    addEventListener("hashchange", () => { if (isFilter()) load(); });
    form.hidden = false;
    load();
  }

  async function copy(button, text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // No clipboard in this context: select the text, so that the reader can copy it.
      getSelection().selectAllChildren(button.closest(".code").querySelector("code"));
      button.textContent = "Selected: press Ctrl+C";
      return;
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  for (const figure of document.querySelectorAll(".code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(button, figure.querySelector("code").textContent));
    figure.querySelector("figcaption").append(button);
  }
  for (const mark of document.querySelectorAll(".m[aria-label]")) mark.title = mark.ariaLabel;
  const form = document.querySelector("form[data-filter]");
  if (form && document.querySelector("[data-s]")) filter(form);
})();
