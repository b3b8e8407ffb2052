// What a page shows is kept in its address; a filter; buttons. Without scripts every page is complete.
"use strict";
// What is chosen on a page, as name=value behind the address's "#": a link to it shows the same again. An address may name a place on the
// page instead; that changes nothing of what is chosen.
const Address = (() => {
  const watchers = [];
  const parse = () => new URLSearchParams(location.hash.slice(1));
  const isState = () => !location.hash || location.hash.includes("=");
  let state = isState() ? parse() : new URLSearchParams();

  const changed = () => { for (const show of watchers) show(); };
  // An empty value is none. Typing does not fill the browser's history letter by letter.
  function set(values, typing = false) {
    for (const [name, value] of Object.entries(values)) {
      if (value) state.set(name, value);
      else state.delete(name);
    }
    const address = location.href.split("#")[0] + (state.size ? `#${state}` : "");
    history[typing ? "replaceState" : "pushState"](null, "", address);
    changed();
  }
  addEventListener("hashchange", () => {
    if (!isState()) return;
    state = parse();
    changed();
  });
  return { get: (name) => state.get(name) ?? "", set, watch: (show) => watchers.push(show) };
})();

(() => {
  const CHOICES = { operation: "o", backend: "b", dtype: "d", mode: "m", status: "s" }, NAMES = ["q", ...Object.keys(CHOICES)];
  const near = (node, letter) => node.closest(`[data-${letter}]`)?.dataset[letter] ?? "";
  // What a search looks at in a group beside the item itself: a text that it is given, or its heading, but for the status, and what is marked.
  function about(group) {
    if (!group || group.dataset.t) return group?.dataset.t ?? "";
    const parts = [...group.querySelectorAll("h2, h3, [data-searched]")].flatMap((part) => [...part.childNodes]);
    return parts.filter((part) => !part.classList?.contains("status")).map((part) => part.textContent).join("");
  }
  const chosen = () => Object.fromEntries(NAMES.map((name) => [name, Address.get(name)]));

  // The pages of a report share the filter: links without a target of their own carry it on.
  const carrying = [...document.querySelectorAll(".top nav a, .pager a, .crumb a")].filter((link) => !link.hash);
  function carryOn() {
    const kept = new URLSearchParams(Object.entries(chosen()).filter(([, value]) => value));
    for (const link of carrying) {
      link.href = link.href.split("#")[0] + (kept.size ? `#${kept}` : "");
    }
  }

  // A choice among what the page has; where that is one thing, there is none.
  function fill(select, values) {
    const found = [...new Set(values)].filter(Boolean).sort(), known = [...select.options].map((option) => option.value);
    for (const option of [...select.options]) if (option.value && !found.includes(option.value)) option.remove();
    for (const value of found) if (!known.includes(value)) select.append(new Option(value, value));
    select.parentElement.hidden = found.length < 2;
  }

  // A value that this page does not have must still filter, and be seen to: it gets an option of its own.
  function choose(select, value) {
    select.value = value;
    if (select.value !== value) select.append(new Option(`${value} (none here)`, value, false, true));
    if (value) select.parentElement.hidden = false;
  }

  function filter(form) {
    const items = [...document.querySelectorAll("[data-s]")].map((node) => {
      const of = Object.fromEntries(Object.entries(CHOICES).map(([name, letter]) => [name, near(node, letter)]));
      return { node, ...of, text: [about(node.closest("[data-group]")), node.ariaLabel ?? node.textContent].join(" ").toLowerCase() };
    });
    const groups = [...document.querySelectorAll("[data-group]")].reverse(), columns = [...document.querySelectorAll("[data-col]")];
    const fields = form.elements, output = form.querySelector("output");
    // What the page does not tell apart is no filter here, but is carried on.
    const names = Object.keys(CHOICES).filter((name) => items.some((item) => item[name]));
    for (const name of Object.keys(CHOICES)) fill(fields[name], items.map((item) => item[name]));

    function show() {
      const state = chosen(), words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
      if (fields.q.value.trim() !== state.q) fields.q.value = state.q;
      for (const name of names) choose(fields[name], state[name]);
      let shown = 0;
      for (const item of items) {
        const on = names.every((name) => !state[name] || item[name] === state[name]) && words.every((word) => item.text.includes(word));
        item.node.classList.toggle("off", !on);
        shown += on;
      }
      const active = shown < items.length;
      for (const group of groups) group.classList.toggle("off", active && !group.querySelector("[data-s]:not(.off)"));
      for (const column of columns) column.classList.toggle("off", Boolean(state.backend) && column.dataset.col !== state.backend);
      const where = document.querySelector(".pager") ? " on this page" : "";
      output.value = `Showing ${shown.toLocaleString("en")} of ${items.length.toLocaleString("en")} ${output.dataset.what}${where}`;
    }

    form.addEventListener("input", ({ target }) => Address.set({ [target.name]: target.value.trim() }, target.name === "q"));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      fields.q.value = "";
      Address.set(Object.fromEntries(NAMES.map((name) => [name, ""])));
    });
    // A place that a link leads to is shown, whatever the filter says.
    addEventListener("hashchange", () => {
      const place = document.querySelector(".off :target, .off:target");
      if (!place) return;
      form.reset();
      place.scrollIntoView();
    });
    form.hidden = false;
    Address.watch(show);
    show();
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

  for (const button of document.querySelectorAll("button.theme")) {
    const say = () => { button.textContent = `Colours: ${Theme.name}`; };
    button.addEventListener("click", () => { Theme.next(); say(); });
    button.hidden = false;
    say();
  }
  const form = document.querySelector("form[data-filter]");
  if (form && document.querySelector("[data-s]")) filter(form);
  Address.watch(carryOn);
  carryOn();
})();
