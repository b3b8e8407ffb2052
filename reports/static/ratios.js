// Draws the times of a comparison: for each cell the ratio with its interval, numbered as in the table below.
"use strict";
(() => {
  const { css, plain, shown, wrap, layout, paint, start } = Figures;
  // What a verdict looks like: a colour, and a shape, so that colour is never alone. The shapes are the marks of the table.
  const LOOKS = {
    slower: { color: "--c1", symbol: "triangle-right" },
    faster: { color: "--c2", symbol: "triangle-left" },
    same: { color: "--soft", symbol: "circle" },
    "cannot tell": { color: "--warn", symbol: "diamond-open" },
    "not measured": { color: "--c3", symbol: "x" },
  };
  const ALL = "all";

  // Ratios at which the axis is marked: what is both in range and far enough from its neighbours.
  function ticks(low, high, width) {
    const steps = [0.7, 0.8, 0.9, 0.95, 0.98, 1, 1.02, 1.05, 1.1, 1.25, 1.5];
    const powers = Array.from({ length: 40 }, (_, i) => 2 ** (i - 20));
    const inside = [...new Set([...steps, ...powers])].filter((t) => t >= low && t <= high);
    const scale = width / Math.log(high / low), kept = [1];
    for (const t of inside.sort((a, b) => Math.abs(Math.log(b)) - Math.abs(Math.log(a)))) {
      if (kept.every((k) => Math.abs(Math.log(t / k)) * scale >= 46)) kept.push(t);
    }
    return { tickvals: kept, ticktext: kept.map((t) => `${+t.toPrecision(3)}`) };
  }

  function trace(verdict, rows) {
    const { color, symbol } = LOOKS[verdict] ?? LOOKS.same, [ratios, lows, highs] = [0, 1, 2].map((i) => rows.map((r) => r.ends[i]));
    return {
      type: "scatter", mode: "markers", name: verdict, x: ratios, y: rows.map((r) => r.at),
      error_x: { type: "data", symmetric: false, array: highs.map((h, i) => h - ratios[i]), arrayminus: lows.map((l, i) => ratios[i] - l), color: css(color), thickness: 1.6, width: 3 },
      marker: { color: css(color), symbol, size: 10, line: { width: 1.5, color: css(color) } },
      text: rows.map((r) => `<b>${r.number}. ${plain(r.operation)}</b><br>${wrap(plain(r.function), 44)}<br>${plain(r.cell)}<br>${verdict}: ${r.ends[0]}, between ${r.ends[1]} and ${r.ends[2]}<br>${plain(r.times)}`),
      hovertemplate: "%{text}<extra></extra>",
    };
  }

  function draw(box, data, state) {
    const narrow = box.clientWidth < 600, title = box.previousElementSibling;
    const chosen = data.rows.filter((r) => [ALL, r.operation].includes(state.operation) && [ALL, r.verdict].includes(state.verdict));
    const rows = chosen.map((row, at) => ({ ...row, at }));
    const caption = `New time over old: ${rows.length} of ${data.rows.length} cells`, hint = document.createElement("span");
    Object.assign(hint, { className: "soft hint", textContent: "Dots are estimates, bars their intervals, on a logarithmic axis. Right of 1 the new release takes longer." });
    title.replaceChildren(caption, hint);
    box.setAttribute("aria-label", `${caption}. The table below holds them.`);
    box.hidden = !rows.length;
    if (!rows.length) return;
    const ends = rows.flatMap((r) => r.ends), room = 1.03, low = Math.min(0.95, ...ends) / room, high = Math.max(1.05, ...ends) * room;
    const label = (r) => (narrow ? `${r.number}` : `${plain(r.function)} · ${plain(r.cell)}  <b>${r.number}</b>`);
    const line = { type: "line", x0: 1, x1: 1, yref: "paper", y0: 0, y1: 1, line: { color: css("--text"), width: 1.5, dash: "dot" } };
    const xaxis = { title: { text: narrow ? "New ÷ old" : "Time of the new release ÷ time of the old one" }, type: "log", side: "top", range: [Math.log10(low), Math.log10(high)], ...ticks(low, high, box.clientWidth * (narrow ? 0.85 : 0.55)) };
    const yaxis = { range: [rows.length - 0.5, -0.5], tickvals: rows.map((r) => r.at), ticktext: rows.map(label), automargin: true, fixedrange: true };
    const traces = data.verdicts.map((v) => [v, rows.filter((r) => r.verdict === v)]).filter(([, found]) => found.length).map(([v, found]) => trace(v, found));
    const margin = { l: 40, r: 24, t: narrow ? 110 : 90, b: 10 }, height = Math.max(60, (narrow ? 16 : 21) * rows.length) + margin.t + margin.b;
    paint(box, traces, { ...layout({ xaxis, yaxis, shapes: [line] }, narrow), width: box.clientWidth, height, margin });
  }

  for (const area of document.querySelectorAll("[data-ratios]")) {
    const data = JSON.parse(area.querySelector("script").textContent);
    const values = { operation: data.operations.map(plain), verdict: data.verdicts };
    const options = (name) => ({ values: [ALL, ...values[name]], first: ALL });
    start(area, options, (box, state) => draw(box, data, { ...state, operation: shown(state.operation) }));
  }
})();
