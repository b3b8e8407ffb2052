// Draws the figures of timings from the data block beside them.
"use strict";
(() => {
  const { css, unique, sorted, plain, shown, wrap, layout, start } = Figures;
  const FIELDS = ["operation", "backend", "mode", "implementation", "dtype", "workload", "pass"];
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x"];

  function decode(data) {
    return data.rows.map((row) => {
      const item = Object.fromEntries(FIELDS.map((field, i) => [field, plain(data.texts[row[i]])]));
      [item.median, item.perElement, item.first, item.elements] = row.slice(FIELDS.length);
      item.series = `${item.backend} · ${item.mode}`;
      return item;
    });
  }

  function time(seconds) {
    for (const [factor, unit] of [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]]) {
      if (seconds >= factor) return `${(seconds / factor).toPrecision(3)} ${unit}`;
    }
    return `${(seconds * 1e9).toPrecision(3)} ns`;
  }

  // Decades with their units: 1 µs, 10 µs, ... A logarithmic axis of time in bare powers of ten has to be translated by the reader.
  function timeAxis(title, values) {
    const low = Math.floor(Math.log10(Math.min(...values))), high = Math.ceil(Math.log10(Math.max(...values)));
    const decades = Array.from({ length: high - low + 1 }, (_, i) => low + i);
    const label = (d) => { const u = d >= 0 ? [1, "s"] : d >= -3 ? [1e-3, "ms"] : d >= -6 ? [1e-6, "µs"] : [1e-9, "ns"]; return `${+(10 ** d / u[0]).toPrecision(1)} ${u[1]}`; };
    return { title: { text: title }, type: "log", range: [low - 0.05, high + 0.05], tickvals: decades.map((d) => 10 ** d), ticktext: decades.map(label) };
  }

  function styles(rows) {
    const backends = sorted(rows.map((r) => r.backend)), modes = sorted(rows.map((r) => r.mode));
    return (item) => ({ color: css(`--c${backends.indexOf(item.backend) % 7}`), symbol: SYMBOLS[modes.indexOf(item.mode) % SYMBOLS.length] });
  }

  const bySeries = (rows) => sorted(rows.map((r) => r.series)).map((name) => rows.filter((r) => r.series === name));

  // Positions on a logarithmic axis are compared, not lengths: dots, not bars.
  function dots(rows, all, key, title) {
    const style = styles(all), good = rows.filter((r) => r[key]);
    const operations = sorted(good.map((r) => r.operation)).reverse();
    const traces = bySeries(good).map((items) => ({
      type: "scatter", mode: "markers", name: items[0].series,
      x: items.map((r) => r[key]), y: items.map((r) => r.operation),
      marker: { ...style(items[0]), size: 10, opacity: 0.85, line: { width: 1, color: css("--card") } },
      text: items.map((r) => `${r.implementation}<br>${r.series}<br>${time(r[key])}${key === "median" && r.perElement ? `, ${r.perElement} ns an element` : ""}`),
      hovertemplate: "<b>%{y}</b><br>%{text}<extra></extra>",
    }));
    const layout = { xaxis: timeAxis(title, good.map((r) => r[key])), yaxis: { categoryorder: "array", categoryarray: operations, automargin: true, showgrid: true }, height: 26 * operations.length };
    return { traces, layout, count: good.length };
  }

  function bars(rows, all, narrow) {
    const style = styles(all), good = rows.filter((r) => r.median).sort((a, b) => b.median - a.median);
    const scale = good.length && good[0].median >= 1 ? [1, "s"] : good.length && good[0].median >= 1e-3 ? [1e3, "ms"] : [1e6, "µs"];
    const label = (r) => (narrow ? `${wrap(r.implementation, 22)}<br>${r.series}` : `${r.implementation} · ${r.series}`);
    const traces = sorted(good.map((r) => r.backend)).map((backend) => {
      const items = good.filter((r) => r.backend === backend);
      return {
        type: "bar", orientation: "h", name: backend, x: items.map((r) => r.median * scale[0]), y: items.map(label),
        marker: { color: style(items[0]).color }, text: items.map((r) => time(r.median)), textposition: "outside", cliponaxis: false,
        customdata: items.map((r) => r.perElement ? `${r.perElement} ns an element` : ""),
        hovertemplate: `<b>%{y}</b><br>${backend}<br>%{text}<br>%{customdata}<extra></extra>`,
      };
    });
    const longest = good.length ? good[0].median * scale[0] * (narrow ? 1.6 : 1.18) : 1;
    const layout = { barmode: "overlay", xaxis: { title: { text: `Median time (${scale[1]})` }, range: [0, longest] }, yaxis: { categoryorder: "array", categoryarray: good.map(label), automargin: true }, height: (narrow ? 50 : 26) * good.length, showlegend: false };
    return { traces, layout, count: good.length };
  }

  function scaling(rows, all) {
    const style = styles(all), good = rows.filter((r) => r.perElement && r.elements);
    const traces = unique(good.map((r) => `${r.series} ${r.implementation}`)).map((name) => {
      const items = good.filter((r) => `${r.series} ${r.implementation}` === name).sort((a, b) => a.elements - b.elements);
      return {
        type: "scatter", mode: "lines+markers", name: `${items[0].series} · ${items[0].implementation}`, x: items.map((r) => r.elements), y: items.map((r) => r.perElement),
        marker: { ...style(items[0]), size: 9 }, line: { color: style(items[0]).color, width: 1.5 },
        text: items.map((r) => `${r.workload}<br>${r.perElement} ns an element, ${time(r.median)}`), hovertemplate: "<b>%{fullData.name}</b><br>%{text}<extra></extra>",
      };
    });
    const log = (text) => ({ title: { text }, type: "log", dtick: 1, exponentformat: "power", automargin: true });
    return { traces, layout: { xaxis: log("Elements in the workload"), yaxis: log("Time an element (ns)"), height: 380 }, count: good.length };
  }

  const PLOTS = {
    median: { needs: ["pass", "workload", "ftype"], caption: (s) => `Median time, ${s.pass}, ${s.workload}, ${s.ftype}`, draw: (rows, all) => dots(rows, all, "median", "Median time (log scale)") },
    first: { needs: ["pass", "workload", "ftype"], caption: (s) => `First call with tracing and compiling, ${s.pass}, ${s.workload}, ${s.ftype}`, draw: (rows, all) => dots(rows, all, "first", "First call (log scale)") },
    scaling: { needs: ["pass", "ftype", "operation"], caption: (s) => `Time an element by size, ${s.operation}, ${s.pass}, ${s.ftype}`, draw: scaling },
    bars: { needs: ["pass", "workload", "ftype"], caption: (s) => `Median time by implementation, ${s.pass}, ${s.workload}, ${s.ftype}`, draw: bars },
  };
  const COLUMN = { pass: "pass", workload: "workload", ftype: "dtype", operation: "operation" };

  function draw(box, rows, state) {
    const plot = PLOTS[box.dataset.plot], narrow = box.clientWidth < 600;
    const chosen = rows.filter((r) => plot.needs.every((name) => !state[name] || r[COLUMN[name]] === state[name]));
    const { traces, layout: own, count } = plot.draw(chosen, rows, narrow);
    const caption = shown(plot.caption(state));
    box.previousElementSibling.textContent = count ? caption : `${caption}: no timing`;
    box.setAttribute("aria-label", `${caption}. ${count} values; the table below holds them.`);
    box.hidden = !count;
    if (!count) return;
    const perRow = Math.max(1, Math.floor(box.clientWidth / (box.dataset.plot === "scaling" ? 340 : 190)));
    const top = own.showlegend === false ? 10 : 24 + (narrow ? 17 : 21) * Math.ceil(traces.length / perRow);
    const margin = { l: narrow ? 40 : 60, r: 24, t: top, b: 54 };
    const height = Math.max(150, own.height) + margin.t + margin.b;
    Plotly.react(box, traces, { ...layout(own, narrow), width: box.clientWidth, height, margin }, { displayModeBar: false });
  }

  function options(rows, name) {
    const values = rows.map((r) => r[COLUMN[name]]), found = sorted(values);
    const often = (value) => values.filter((v) => v === value).length;
    const first = ["forward", "float32", "softmax"].find((value) => found.includes(value)) ?? found.reduce((a, b) => (often(b) >= often(a) ? b : a));
    return { values: found, first };
  }

  for (const area of document.querySelectorAll("[data-figures]")) {
    const rows = decode(JSON.parse(area.querySelector("script").textContent));
    start(area, (name) => options(rows, name), (box, state) => draw(box, rows, state));
  }
})();
