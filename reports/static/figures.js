// What the scripts of figures share: colours, texts, the layout, a table of what is drawn, and drawing again when something changes.
"use strict";
const Figures = (() => {
  // The style sheet's colours as they are in this theme.
  const probe = document.createElement("i"), colours = new Map();
  probe.hidden = true;
  document.body.append(probe);
  Theme.watch(() => colours.clear());
  function css(name) {
    if (!colours.has(name)) {
      probe.style.color = `var(${name})`;
      colours.set(name, getComputedStyle(probe).color);
    }
    return colours.get(name);
  }
  // Resolves when Plotly is there; a report of one file has it before it runs this.
  const ready = globalThis.unpacked ?? Promise.resolve();
  const unique = (values) => [...new Set(values)];
  const sorted = (values) => unique(values).sort();
  // Plotly reads markup in texts; names come from results and are to be shown as they are.
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  // Outside Plotly, texts are not markup: undoes plain().
  const shown = (text) => new DOMParser().parseFromString(text, "text/html").documentElement.textContent;

  // Lines of at most so many characters, broken after punctuation.
  function wrap(text, width) {
    const lines = [""];
    for (const part of text.split(/(?<=[._(,=])/)) {
      if (lines.at(-1).length + part.length > width && lines.at(-1)) lines.push("");
      lines[lines.length - 1] += part;
    }
    return lines.join("<br>");
  }

  function layout(own, narrow) {
    const axis = (a) => ({ gridcolor: css("--line"), linecolor: css("--soft"), zeroline: false, ...a });
    const legend = { orientation: "h", x: 0, xref: "container", y: 1, yref: "container", yanchor: "top", maxheight: 1, font: { size: narrow ? 11 : 13 } };
    return {
      showlegend: true, ...own, xaxis: axis(own.xaxis), yaxis: axis(own.yaxis), legend,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: "system-ui, 'DejaVu Sans', sans-serif", size: narrow ? 11 : 13, color: css("--text") },
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--soft"), font: { color: css("--text") }, align: "left" },
    };
  }

  // What a legend of these names, each in lines, takes: as many columns as the longest allows.
  function legendHeight(names, width, narrow) {
    const longest = Math.max(...names.flat().map((line) => line.length)) * (narrow ? 6 : 7.2) + 60;
    const lines = names.reduce((sum, name) => sum + name.length, 0);
    return (narrow ? 15.5 : 21) * Math.ceil(lines / Math.max(1, Math.floor(width / longest)));
  }

  // The points of a figure as rows of a table: series, coordinates, and what is said when one points at them.
  const MOST = 2000;
  function points(trace) {
    if (trace.hoverinfo === "skip" && !trace.text) return [];
    const name = shown(trace.name ?? "").trim(), said = (i) => shown((trace.customdata ?? trace.text)?.[i]?.replaceAll("<br>", "; ") ?? "");
    if (trace.type === "surface") return trace.y.flatMap((y, j) => trace.x.map((x, i) => [name, x, y, trace.z[j][i], ""]));
    return [...trace.x].map((x, i) => [name, x, trace.y[i], trace.z?.[i], said(i)]);
  }

  function table(box) {
    const scene = box.layout.scene, axes = scene ? [scene.xaxis, scene.yaxis, scene.zaxis] : [box.layout.xaxis, box.layout.yaxis];
    const heads = ["Series", ...["x", "y", "z"].map((letter, i) => shown(axes[i]?.title?.text ?? "") || letter), "More"];
    const rows = box.data.flatMap(points), used = heads.map((_, i) => rows.some((row) => ![undefined, ""].includes(row[i])));
    const cells = (row, tag) => row.filter((_, i) => used[i]).map((value) => {
      const cell = document.createElement(tag), number = typeof value === "number";
      cell.textContent = number ? `${+value.toPrecision(6)}` : value === null ? "–" : shown(`${value}`.replaceAll("<br>", ""));
      if (number) cell.className = "num";
      if (tag === "th") cell.scope = "col";
      return cell;
    });
    const made = document.createElement("table"), body = made.createTBody();
    made.createTHead().insertRow().append(...cells(heads, "th"));
    for (const row of rows.slice(0, MOST)) body.insertRow().append(...cells(row, "td"));
    if (rows.length > MOST) made.createCaption().textContent = `The first ${MOST} of ${rows.length} points`;
    return made;
  }

  // Draws a figure, with its data in a table below it that is made when it is opened: it can be read without seeing, and copied.
  function paint(box, traces, layout, config = {}) {
    Plotly.react(box, traces, layout, { displayModeBar: false, ...config });
    if (box.nextElementSibling?.matches(".data")) box.nextElementSibling.remove();
    const details = document.createElement("details"), summary = document.createElement("summary"), of = document.createElement("span"), scroll = document.createElement("div");
    const name = shown(layout.title?.text ?? "") || box.closest("figure").querySelector("figcaption").firstChild.textContent;
    details.className = "data";
    Object.assign(of, { className: "hide", textContent: `: ${name}` });
    summary.append("Data of this figure", of);
    Object.assign(scroll, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `Data: ${name}` });
    details.append(summary, scroll);
    details.addEventListener("toggle", () => scroll.replaceChildren(...(details.open ? [table(box)] : [])));
    box.after(details);
  }

  // Draws every figure of an area once it has a width, and again when that changes, the theme, or what `load` takes from the address;
  // `load` says whether anything did.
  function live(area, load, draw) {
    const all = () => { if (area.clientWidth) for (const box of area.querySelectorAll("[data-plot]")) draw(box); };
    load();
    let width = 0;
    const resized = new ResizeObserver(() => {
      if (area.clientWidth !== width) {
        width = area.clientWidth;
        requestAnimationFrame(all);
      }
    });
    ready.then(() => {
      Address.watch(() => { if (load()) all(); });
      Theme.watch(all);
      resized.observe(area);
    });
  }

  // Fills the form beside the figures with what `options` finds for each of its fields, the first being chosen unless the address says
  // otherwise, and draws every figure.
  function start(area, options, draw) {
    const form = area.querySelector("form"), fields = [...form.querySelectorAll("select")], firsts = {}, state = {};
    const address = (select) => `${form.name || "figure"}.${select.name}`;
    area.hidden = false;
    for (const select of fields) {
      const { values, first } = options(select.name);
      for (const value of values) select.append(new Option(shown(value), value));
      firsts[select.name] = first;
      select.parentElement.hidden = values.length < 2;
    }
    function load() {
      const before = JSON.stringify(state);
      for (const select of fields) {
        select.value = plain(Address.get(address(select)));
        if (select.selectedIndex < 0) select.value = firsts[select.name];
        state[select.name] = select.value;
      }
      return JSON.stringify(state) !== before;
    }
    form.addEventListener("input", ({ target }) => Address.set({ [address(target)]: target.value === firsts[target.name] ? "" : shown(target.value) }));
    live(area, load, (box) => draw(box, state));
  }

  return { css, unique, sorted, plain, shown, wrap, layout, legendHeight, paint, ready, live, start };
})();
