// Draws series over runs from the data block beside the figures: accuracy, and times relative to NumPy's, with their steps.
"use strict";
(() => {
  const { css, unique, sorted, plain, shown, wrap, layout, legendHeight, paint, start } = Figures;
  const FIELDS = ["metric", "backend", "implementation", "mode", "dtype", "what", "workload"];
  const DASHES = ["solid", "dash", "dot", "dashdot"], SPEED = "time relative to NumPy", LEAST = 0.01;
  const SYMBOLS = ["circle", "square-open", "triangle-up-open", "cross-thin", "x-thin"];

  // Pairs of a run and a value that holds until the next; the last entry is the last run.
  function expand(values) {
    const x = [], y = [];
    for (let i = 0; i + 1 < values.length; i += 2) {
      const end = i + 2 < values.length - 1 ? values[i + 2] : values.at(-1) + 1;
      for (let run = values[i]; run < end; run++) {
        x.push(run);
        y.push(values[i + 1]);
      }
    }
    return { x, y };
  }

  function decode(data) {
    const runs = data.runs.map(([started, id, versions]) => ({ started: plain(started), id: plain(id), versions: plain(versions) }));
    const rows = data.rows.map(([coded, values, steps]) => {
      const row = Object.fromEntries(FIELDS.map((field, i) => [field, plain(data.texts[coded[i]])]));
      return Object.assign(row, expand(values), { steps: new Set(steps) });
    });
    return { runs, rows };
  }

  function styles(all) {
    const names = unique(all.map((r) => `${r.backend} ${r.implementation}`)), modes = unique(all.map((r) => r.mode));
    return (row) => {
      const i = names.indexOf(`${row.backend} ${row.implementation}`);
      return { color: css(`--c${i % 7}`), symbol: SYMBOLS[i % SYMBOLS.length], dash: DASHES[modes.indexOf(row.mode) % DASHES.length] };
    };
  }

  // As many days as have room below the axis.
  function ticks(runs, width) {
    const step = Math.max(1, Math.ceil(runs.length / Math.max(1, Math.floor(width / 95))));
    const tickvals = runs.map((_, i) => i).filter((i) => i % step === 0);
    return { tickvals, ticktext: tickvals.map((i) => runs[i].started.slice(0, 10)), range: [-0.5, runs.length - 0.5] };
  }

  // Powers of ten, and their multiples where the values are within a few of them.
  function axis(text, traces) {
    const values = traces.flatMap((t) => t.y).filter((y) => y > 0), low = Math.min(...values) / 1.15, high = Math.max(...values) * 1.15;
    const digits = high / low > 1e3 ? [1] : high / low > 20 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
    const tickvals = [], first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high)), step = Math.ceil((last - first) / 8);
    for (let power = first; power <= last; power += step) tickvals.push(...digits.map((d) => +`${d}e${power}`).filter((v) => v >= low && v <= high));
    const ticktext = tickvals.map((v) => (v >= 1e4 || v < 1e-3 ? v.toExponential().replace("+", "") : `${v}`));
    return { title: { text, standoff: 8 }, type: "log", range: [Math.log10(low), Math.log10(high)], tickvals, ticktext, automargin: true };
  }

  function trace(row, style, runs, narrow) {
    const { color, symbol, dash } = style(row), least = row.metric === SPEED ? 0 : LEAST, at = row.x.map((run) => row.steps.has(run));
    const name = narrow ? `${wrap(row.implementation, 42)}<br>${row.backend} · ${row.mode}` : `${row.implementation} · ${row.backend} · ${row.mode}`;
    return {
      type: "scatter", mode: "lines+markers", name, x: row.x, y: row.y.map((y) => (y === null ? null : Math.max(y, least))),
      line: { color, dash, width: 1.6, shape: least ? "hv" : "linear" }, connectgaps: false,
      marker: { color, size: at.map((step) => (step ? 13 : 5)), symbol: at.map((step) => (step ? "diamond" : symbol)), line: { width: 1, color } },
      meta: [`<b>${wrap(row.implementation, 40)}</b><br>${row.backend} · ${row.mode}`],
      text: row.x.map((run, i) => `${+(row.y[i] ?? NaN).toPrecision(4)}${at[i] ? ", a new level" : ""}<br>${runs[run].started}<br>${runs[run].id}<br>${wrap(runs[run].versions, 44)}`),
      hovertemplate: "%{meta[0]}<br>%{text}<extra></extra>",
    };
  }

  const PLOTS = {
    accuracy: {
      rows: (rows, s) => rows.filter((r) => r.metric === s.metric && r.what === s.check && r.dtype === s.ftype),
      caption: (s) => `${s.metric === "max ulp" ? "Largest error (ulp)" : "Largest share of the bound"} over the runs: ${s.check}, ${s.ftype}`,
      axis: (s) => (s.metric === "max ulp" ? "Max ulp (log scale)" : "Share of bound (log scale)"), hint: `Values below ${LEAST} are drawn there. Diamonds begin a new level.`,
    },
    speed: {
      rows: (rows, s) => rows.filter((r) => r.metric === SPEED && r.what === s.pass && r.workload === s.workload && r.dtype === s.ftype),
      caption: (s) => `Time relative to NumPy's over the runs: ${s.pass}, ${s.workload}, ${s.ftype}`,
      axis: () => "Times NumPy's (log scale)", hint: "Of the same run and workload. Lower is faster. Diamonds begin a new level.",
    },
  };

  function draw(box, { runs, rows }, state) {
    const plot = PLOTS[box.dataset.plot], chosen = plot.rows(rows, state), narrow = box.clientWidth < 600, title = box.previousElementSibling;
    const caption = shown(plot.caption(state)), hint = document.createElement("span");
    Object.assign(hint, { className: "soft hint", textContent: plot.hint });
    title.replaceChildren(chosen.length ? caption : `${caption}: not measured`, ...(chosen.length ? [hint] : []));
    box.hidden = !chosen.length;
    box.setAttribute("aria-label", `${caption}. ${chosen.length} series; the table below holds them.`);
    if (!chosen.length) return;
    const style = styles(rows), traces = chosen.map((row) => trace(row, style, runs, narrow));
    const margin = { l: narrow ? 46 : 64, r: 24, t: 24 + legendHeight(traces.map((t) => t.name.split("<br>")), box.clientWidth, narrow), b: 54 };
    const xaxis = { title: { text: "Runs, oldest first" }, ...ticks(runs, box.clientWidth - margin.l) };
    paint(box, traces, { ...layout({ xaxis, yaxis: axis(plot.axis(state), traces) }, narrow), width: box.clientWidth, height: 320 + margin.t + margin.b, margin });
  }

  function options(rows, name) {
    const speed = rows.filter((r) => r.metric === SPEED), accuracy = rows.filter((r) => r.metric !== SPEED);
    const values = {
      metric: () => sorted(accuracy.map((r) => r.metric)), check: () => sorted(accuracy.map((r) => r.what)).reverse(),
      pass: () => sorted(speed.map((r) => r.what)), workload: () => unique(speed.map((r) => r.workload)), ftype: () => unique(rows.map((r) => r.dtype)),
    }[name]();
    return { values, first: values.includes("float32") ? "float32" : values[0] };
  }

  for (const area of document.querySelectorAll("[data-history]")) {
    const data = decode(JSON.parse(area.querySelector("script").textContent));
    start(area, (name) => options(data.rows, name), (box, state) => draw(box, data, state));
  }
})();
