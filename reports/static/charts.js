// Draws the figures of timings from the data block beside them.
"use strict";
(() => {
  const { css, unique, sorted, plain, shown, wrap, layout, paint, start } = Figures;
  const FIELDS = ["operation", "backend", "mode", "implementation", "dtype"];
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x"];
  const ALL = "all operations";

  // One item for each timing; times in seconds.
  function decode(data) {
    const text = (i) => plain(data.texts[i]);
    return data.cases.flatMap((coded) => {
      const shared = Object.fromEntries(FIELDS.map((field, i) => [field, text(coded[i])]));
      const [timed, fits] = coded.slice(FIELDS.length);
      const lines = fits.map(([pass, row, call, element]) => ({ pass: text(pass), row, call: call * 1e-6, element: element * 1e-9 }));
      return timed.map(([workload, pass, median, first, floor, ulp, mean]) => {
        const [elements, row] = data.sizes[workload];
        const item = { ...shared, workload: text(workload), pass: text(pass), elements, row, floor, ulp, mean, series: `${shared.backend} · ${shared.mode}` };
        item.median = median && median * 1e-6;
        item.first = first && first * 1e-3;
        item.perElement = median && elements && +(median / elements * 1e3).toPrecision(3);
        item.fit = lines.find((line) => line.pass === item.pass && line.row === row);
        return item;
      });
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

  // Bare numbers; where they span few decades, 2 and 5 are named too.
  function log(text, values, narrow) {
    const few = Math.max(...values) / Math.min(...values) < (narrow ? 20 : 300);
    return { title: { text }, type: "log", dtick: few ? "D2" : 1, exponentformat: "power", automargin: true };
  }
  const times = (r) => `${time(r.median)}${r.perElement ? `, ${r.perElement} ns an element` : ""}`;

  // Positions on a logarithmic axis are compared, not lengths: dots, not bars.
  function dots(rows, all, narrow, key, axis, text) {
    const style = styles(all), good = rows.filter((r) => r[key]);
    const label = (operation) => (narrow ? wrap(operation, 16) : operation);
    const operations = sorted(good.map((r) => r.operation)).reverse().map(label);
    const traces = bySeries(good).map((items) => ({
      type: "scatter", mode: "markers", name: items[0].series,
      x: items.map((r) => r[key]), y: items.map((r) => label(r.operation)),
      marker: { ...style(items[0]), size: 10, opacity: 0.85, line: { width: 1, color: css("--card") } },
      text: items.map((r) => `<b>${r.operation}</b><br>${r.implementation}<br>${r.series}<br>${text(r)}`),
      hovertemplate: "%{text}<extra></extra>",
    }));
    const layout = { xaxis: axis(good.map((r) => r[key])), yaxis: { categoryorder: "array", categoryarray: operations, automargin: true, showgrid: true }, height: (narrow ? 42 : 26) * operations.length };
    return { traces, layout, count: good.length };
  }

  const mark = (axis, at, dash) => ({ type: "line", layer: "below", line: { color: css("--soft"), width: 1.5, dash }, [`${axis}0`]: at, [`${axis}1`]: at, [`${axis}ref`]: axis });

  function floor(rows, all, narrow) {
    const drawn = dots(rows, all, narrow, "floor", (values) => log("Times the floor (log scale)", values, narrow), (r) => `${r.floor} times the floor, ${times(r)}`);
    drawn.layout.shapes = [{ ...mark("x", 1, "dash"), y0: 0, y1: 1, yref: "paper" }];
    return drawn;
  }

  // Who is both less accurate and slower than another is off the front.
  function front(rows) {
    const kept = [];
    for (const row of [...rows].sort((a, b) => a.perElement - b.perElement || a.ulp - b.ulp)) {
      if (!kept.length || row.ulp < kept.at(-1).ulp) kept.push(row);
    }
    return kept;
  }

  // Of each case the timing over most elements, where dispatch counts least.
  function largest(rows) {
    const found = new Map();
    for (const row of rows) {
      const key = `${row.operation} ${row.series} ${row.implementation} ${row.dtype}`;
      if (row.elements > (found.get(key)?.elements ?? 0)) found.set(key, row);
    }
    return [...found.values()];
  }

  // Exact results have no place on a logarithmic axis: they stand on a line of their own below the others.
  function accuracy(rows, all, narrow) {
    const style = styles(all), good = largest(rows.filter((r) => r.perElement && r.ulp !== null)), EXACT = 0.1;
    const at = (r) => Math.max(r.ulp, EXACT);
    const traces = bySeries(good).map((items) => ({
      type: "scatter", mode: "markers", name: items[0].series, x: items.map((r) => r.perElement), y: items.map(at),
      marker: { ...style(items[0]), size: 10, opacity: 0.85, line: { width: 1, color: css("--card") } },
      text: items.map((r) => `<b>${r.operation}</b><br>${r.implementation}<br>${r.series}<br>at most ${r.ulp} ULP, ${r.mean} in the mean<br>${r.workload}: ${times(r)}`),
      hovertemplate: "%{text}<extra></extra>",
    }));
    if (unique(good.map((r) => r.operation)).length === 1) {
      const best = front(good);
      traces.unshift({ type: "scatter", mode: "lines", name: "none is both faster and more accurate", x: best.map((r) => r.perElement), y: best.map(at), line: { color: css("--soft"), width: 1.5, shape: "hv" }, hoverinfo: "skip" });
    }
    const high = Math.max(1, ...good.map((r) => Math.ceil(Math.log10(at(r)))));
    const decades = Array.from({ length: high + 1 }, (_, i) => i);
    const yaxis = { title: { text: "Largest error (ULP)" }, type: "log", range: [Math.log10(EXACT) - 0.15, high + 0.1], automargin: true, tickvals: [EXACT, 0.5, ...decades.map((d) => 10 ** d)], ticktext: ["exact", "0.5", ...decades.map((d) => (10 ** d).toLocaleString("en"))] };
    const shapes = [{ ...mark("y", 0.5, "dash"), x0: 0, x1: 1, xref: "paper" }];
    return { traces, layout: { xaxis: log("Time an element (ns)", good.map((r) => r.perElement), narrow), yaxis, shapes, hovermode: "closest", height: 420 }, count: good.length };
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

  // Rows of one length make a line; what is fitted to it is dashed.
  function scaling(rows, all, narrow) {
    const style = styles(all), good = rows.filter((r) => r.perElement && r.elements), DASHES = ["solid", "dash", "dashdot", "12px,3px", "3px,8px"];
    const named = (r) => `${r.series} · ${r.implementation}`;
    // Implementations of one backend and mode share colour and symbol.
    const twins = (r) => sorted(good.filter((other) => other.series === r.series).map((other) => other.implementation));
    const traces = unique(good.map(named)).flatMap((name) => {
      const mine = good.filter((r) => named(r) === name), dash = DASHES[twins(mine[0]).indexOf(mine[0].implementation) % DASHES.length];
      return unique(mine.map((r) => r.row)).flatMap((row, i) => {
        const items = mine.filter((r) => r.row === row).sort((a, b) => a.elements - b.elements), { fit } = items[0], { color } = style(items[0]);
        const x = items.map((r) => r.elements), note = fit ? `<br>fit: ${time(fit.call)} a call, ${+(fit.element * 1e9).toPrecision(3)} ns an element` : "";
        const group = { type: "scatter", name, legendgroup: name };
        const line = fit && { ...group, mode: "lines", showlegend: false, hoverinfo: "skip", line: { color, width: 1, dash: "dot" } };
        if (line) {
          const [from, to] = [x[0], x.at(-1)].map(Math.log), steps = Array.from({ length: 41 }, (_, k) => Math.exp(from + ((to - from) * k) / 40));
          Object.assign(line, { x: steps, y: steps.map((n) => ((fit.call + fit.element * n) / n) * 1e9) });
        }
        const points = {
          ...group, mode: "lines+markers", showlegend: i === 0, x, y: items.map((r) => r.perElement),
          marker: { ...style(items[0]), size: 9 }, line: { color, width: 1.5, dash },
          text: items.map((r) => `${r.workload}<br>${times(r)}${note}`), hovertemplate: "<b>%{fullData.name}</b><br>%{text}<extra></extra>",
        };
        return line ? [line, points] : [points];
      });
    });
    return { traces, layout: { xaxis: log("Elements in the workload", good.map((r) => r.elements), narrow), yaxis: log("Time an element (ns)", good.map((r) => r.perElement), narrow), height: 380 }, count: good.length };
  }

  const where = (s) => (s.among && s.among !== ALL ? `${s.among}, ` : "");
  const first = (rows, all, narrow) => dots(rows, all, narrow, "first", (values) => timeAxis("First call (log scale)", values), (r) => time(r.first));
  const median = (rows, all, narrow) => dots(rows, all, narrow, "median", (values) => timeAxis("Median time (log scale)", values), times);
  const PLOTS = {
    median: { needs: ["pass", "workload", "ftype"], caption: (s) => `Median time, ${s.pass}, ${s.workload}, ${s.ftype}`, draw: median },
    first: { needs: ["pass", "workload", "ftype"], caption: (s) => `First call with tracing and compiling, ${s.pass}, ${s.workload}, ${s.ftype}`, draw: first },
    floor: { needs: ["pass", "workload", "ftype"], caption: (s) => `Distance from the memory floor, ${s.pass}, ${s.workload}, ${s.ftype}`, draw: floor },
    accuracy: { needs: ["pass", "ftype", "among"], caption: (s) => `Accuracy against speed, ${where(s)}${s.pass}, ${s.ftype}, each case over its largest workload`, draw: accuracy },
    scaling: { needs: ["pass", "ftype", "operation"], caption: (s) => `Time an element by size, ${s.operation}, ${s.pass}, ${s.ftype}`, draw: scaling, wide: 340 },
    bars: { needs: ["pass", "workload", "ftype"], caption: (s) => `Median time by implementation, ${s.pass}, ${s.workload}, ${s.ftype}`, draw: bars },
  };
  const COLUMN = { pass: "pass", workload: "workload", ftype: "dtype", operation: "operation", among: "operation" };

  function draw(box, rows, state) {
    const plot = PLOTS[box.dataset.plot], narrow = box.clientWidth < 600;
    const chosen = rows.filter((r) => plot.needs.every((name) => !state[name] || state[name] === ALL || r[COLUMN[name]] === state[name]));
    const { traces, layout: own, count } = plot.draw(chosen, rows, narrow);
    const caption = shown(plot.caption(state));
    box.previousElementSibling.textContent = count ? caption : `${caption}: no timing`;
    box.setAttribute("aria-label", `${caption}. ${count} values; the table below holds them.`);
    box.hidden = !count;
    if (!count) return;
    const perRow = Math.max(1, Math.floor(box.clientWidth / (plot.wide ?? 190)));
    const top = own.showlegend === false ? 10 : 24 + (narrow ? 17 : 21) * Math.ceil(traces.filter((t) => t.showlegend !== false).length / perRow);
    const margin = { l: narrow ? 40 : 60, r: 24, t: top, b: 54 };
    const height = Math.max(150, own.height) + margin.t + margin.b;
    paint(box, traces, { ...layout(own, narrow), width: box.clientWidth, height, margin });
  }

  function options(rows, name) {
    const values = rows.map((r) => r[COLUMN[name]]), found = sorted(values);
    const often = (value) => values.filter((v) => v === value).length;
    const first = ["forward", "float32", "softmax"].find((value) => found.includes(value)) ?? found.reduce((a, b) => (often(b) >= often(a) ? b : a));
    return name === "among" ? { values: [ALL, ...found], first: ALL } : { values: found, first };
  }

  for (const area of document.querySelectorAll("[data-figures]")) {
    const rows = decode(JSON.parse(area.querySelector("script").textContent));
    start(area, (name) => options(rows, name), (box, state) => draw(box, rows, state));
  }
})();
