// Draws the figures of an operation's errors from the data block beside them: along the inputs, how many, and where results vanish too soon.
"use strict";
(() => {
  const { css, unique, plain, shown, wrap, layout, legendHeight, paint, live } = Figures;
  const FIELDS = ["output", "inputs", "dtype"];
  const SYMBOLS = ["circle-open", "x-thin", "square-open", "cross-thin", "diamond-open", "triangle-up-open"];
  const FORMATS = { float16: [16, 11], bfloat16: [16, 8], float32: [32, 24], float64: [64, 53] };
  // Inputs are placed by their order: all positive numbers of a format, infinity and NaN among them, make 512 pieces.
  const HALF = 512, MOST_NAMES = 8;

  function format(dtype) {
    const [bits, precision] = FORMATS[dtype], least = 2 - 2 ** (bits - precision - 1);
    return { bits, precision, least, each: HALF / 2 ** (bits - precision), sign: 1n << BigInt(bits - 1), fraction: BigInt(precision - 1) };
  }

  // Bit patterns, in hexadecimal digits, as numbers and as integers in the numbers' order.
  function number({ fraction, sign, least, precision }, digits) {
    const pattern = BigInt(`0x${digits}`), size = pattern & (sign - 1n), exponent = Number(size >> fraction), significand = Number(size & ((1n << fraction) - 1n));
    const x = exponent === 2 * (1 - least) + 1 ? (significand ? NaN : Infinity) : exponent === 0 ? significand * 2 ** (least - precision + 1) : (significand + 2 ** (precision - 1)) * 2 ** (exponent - 1 + least - precision + 1);
    return pattern & sign ? -x : x;
  }
  function ordinal({ sign }, digits) {
    const pattern = BigInt(`0x${digits}`), size = pattern & (sign - 1n);
    return pattern & sign ? -size : size;
  }
  const placed = (f, digits) => (Number(ordinal(f, digits)) / 2 ** (f.bits - 1)) * HALF;
  const end = (f) => HALF - f.each;
  function placeOf(f, x) {
    const size = Math.abs(x), exponent = Math.max(Math.floor(Math.log2(size)), f.least);
    return Math.sign(x) * (exponent - f.least + size / 2 ** exponent) * f.each;
  }
  function inputAt(f, place) {
    const size = Math.abs(place), binade = Math.floor(size / f.each);
    const x = binade === 0 ? (size / f.each) * 2 ** f.least : (1 + size / f.each - binade) * 2 ** (binade - 1 + f.least);
    return place < 0 ? -x : x;
  }

  // As Python writes it, without the zeros at the end.
  function hex(x) {
    const sign = x < 0 || Object.is(x, -0) ? "-" : "", size = Math.abs(x);
    if (!Number.isFinite(size) || size === 0) return Number.isNaN(size) ? "nan" : `${sign}${size ? "inf" : "0x0p+0"}`;
    let exponent = Math.floor(Math.log2(size));
    if (size < 2 ** exponent) exponent -= 1;
    const scaled = exponent < -1000 ? (size * 2 ** 100) / 2 ** (exponent + 100) : size / 2 ** exponent;
    return `${sign}0x1${(scaled - 1).toString(16).slice(1)}p${exponent < 0 ? "" : "+"}${exponent}`;
  }
  const both = (x) => `${hex(x)} (${+x.toPrecision(6)})`;

  // input,got,nearest,other arguments; input,,steps where the results are not on record.
  function points(row, coded) {
    const f = row.format;
    return coded.split(" ").filter(Boolean).map((entry) => {
      const [x, got, last, ...others] = entry.split(",");
      const inputs = [x, ...others].map((digits, i) => `${row.arguments[i]} = ${both(number(f, digits))}`).join("<br>");
      if (!got) return { at: placed(f, x), steps: Number(last), text: inputs };
      const distance = ordinal(f, got) - ordinal(f, last), steps = Number(distance < 0n ? -distance : distance);
      return { at: placed(f, x), steps, text: `${inputs}<br>got ${both(number(f, got))}<br>exact ${both(number(f, last))}, rounded` };
    }).sort((a, b) => a.at - b.at);
  }

  function decode(data) {
    return data.rows.map((coded) => {
      const text = (i) => plain(data.texts[i]), row = { ...coded, ...Object.fromEntries(FIELDS.map((field) => [field, text(coded[field])])) };
      Object.assign(row, { names: coded.names.map(text), arguments: coded.arguments.map(text), format: format(data.texts[coded.dtype]) });
      row.name = row.names[0] + (row.names.length > 1 ? ` and ${row.names.length - 1} more` : "");
      row.all = row.names.slice(0, MOST_NAMES).map((name) => wrap(name, 60)).join("<br>") + (row.names.length > MOST_NAMES ? `<br>and ${row.names.length - MOST_NAMES} more` : "");
      return Object.assign(row, { points: points(row, data.texts[coded.points]) });
    });
  }

  // Black or white, whichever is read on a colour: rgb(r, g, b).
  function ink(color) {
    const [r, g, b] = color.match(/\d+/g).map((part) => (part / 255) ** 2.2);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
  }
  const style = (i) => ({ color: css(`--c${i % 7}`), symbol: SYMBOLS[Math.floor(i / 7 + i) % SYMBOLS.length] });
  const label = (row, narrow, most = 40) => (narrow ? wrap(row.name.replaceAll(" · ", ", "), most) : row.name);
  const minus = (text) => text.replace(/^-/, "−").replace("e-", "e−");

  // Powers of ten, zero and the infinities, as many as fit; where there is much room, 2 and 5 times the powers as well.
  function ticks(f, range, width) {
    const gap = 58, scale = width / (range[1] - range[0]), decade = f.each * Math.log2(10) * scale;
    const step = [1, 2, 5, 10, 20, 50, 100].find((s) => s * decade >= gap) ?? 200, inside = (at) => Math.min(at, end(f) - at) * scale >= 0.7 * gap;
    const found = [[0, "0"], [end(f), "∞"], [-end(f), "−∞"]];
    for (let d = -320; d <= 308; d += step) {
      for (const digit of decade > 4 * gap ? [1, 2, 5] : [1]) {
        const at = placeOf(f, digit * 10 ** d), text = Math.abs(d) < 4 ? `${+(digit * 10 ** d).toPrecision(1)}` : `${digit}e${minus(`${d}`)}`;
        if (inside(at)) found.push([at, text], [-at, `−${text}`]);
      }
    }
    const within = found.filter(([at]) => at >= range[0] && at <= range[1]);
    const seen = within.length > 1 ? within : range.map((at) => [at, minus(`${+inputAt(f, at).toPrecision(6)}`)]);
    return { tickvals: seen.map((t) => t[0]), ticktext: seen.map((t) => t[1]) };
  }

  function error(rows, width, pieces) {
    const f = rows[0].format, range = [-end(f) - 6, end(f) + 6], narrow = width < 600;
    const traces = rows.map((row, i) => {
      const { color, symbol } = style(i), none = row.points.length === 0, off = row.histogram.slice(1).some(Boolean);
      return {
        type: "scatter", mode: "markers", name: label(row, narrow) + (none ? (off ? " (none finite)" : " (none)") : ""),
        x: none ? [null] : row.points.map((p) => p.at), y: none ? [null] : row.points.map((p) => p.steps),
        marker: { color, symbol, size: 6, line: { width: 1.2, color } },
        meta: [`<b>${row.all}</b>`], text: row.points.map((p) => p.text), hovertemplate: "%{meta[0]}<br>%{text}<br>%{y:,} ulp<extra></extra>",
      };
    });
    const most = Math.max(10, ...rows.flatMap((r) => r.points.map((p) => p.steps))), digits = Math.ceil(Math.log10(most));
    const xaxis = { title: { text: `${rows[0].arguments[0]}, in the order of the numbers` }, range, showline: true, ...ticks(f, range, width) };
    const yaxis = { title: { text: "Largest error (ulp, log scale)" }, type: "log", range: [-0.12, Math.log10(most) * 1.03 + 0.1], dtick: digits > 5 ? Math.ceil(digits / 4) : 1, exponentformat: "power", fixedrange: true };
    const hint = `Largest error in each of ${pieces.toLocaleString("en")} pieces; those without any are left out. Choose in the legend, drag to zoom, double-click for all.`;
    return { traces, hint, layout: { xaxis, yaxis, height: 340, hovermode: "closest" }, retick: (to) => ticks(f, to, width) };
  }

  function histogram(rows, width) {
    const narrow = width < 600, kinds = ["correctly rounded", "1 ulp off", "2 ulp off", "3 ulp or more, or not finite"], colors = ["--c2", "--c5", "--c6", "--c1"].map(css);
    const totals = rows.map((r) => Math.max(1, r.histogram.reduce((sum, n) => sum + (n ?? 0), 0))), names = rows.map((row) => label(row, narrow, 22));
    const traces = kinds.map((name, k) => {
      const counts = rows.map((row) => row.histogram[k] ?? 0), shares = counts.map((n, i) => (100 * n) / totals[i]);
      return {
        type: "bar", orientation: "h", name, y: names, x: shares, marker: { color: colors[k], line: { color: css("--card"), width: 1 } },
        text: shares.map((share) => (share < 5 ? "" : `${+share.toPrecision(3)} %`)), textposition: "inside", insidetextfont: { color: ink(colors[k]) }, textangle: 0,
        customdata: counts.map((n, i) => `${rows[i].all}<br>${name}: ${n.toLocaleString("en")} of ${totals[i].toLocaleString("en")}`), hovertemplate: "%{customdata}<extra></extra>",
      };
    });
    const yaxis = { automargin: true, categoryorder: "array", categoryarray: [...names].reverse(), fixedrange: true };
    return { traces, hint: "The table below has the numbers.", layout: { barmode: "stack", xaxis: { title: { text: "Share of the results (%)" }, range: [0, 100], fixedrange: true }, yaxis, height: (narrow ? 52 : 30) * rows.length + 10, hovermode: "closest" } };
  }

  function zeros(rows, width) {
    const good = rows.map((row, i) => [row, style(i).color]).filter(([row]) => row.zeros.length), narrow = width < 600;
    const traces = good.map(([row, color]) => ({
      type: "bar", orientation: "h", name: row.name, y: row.zeros.map(() => label(row, narrow, 22)), base: row.zeros.map((z) => z[0]), x: row.zeros.map((z) => z[1] - z[0]),
      marker: { color }, insidetextfont: { color: ink(color) }, text: row.zeros.map((z) => minus(`${+z[0].toPrecision(4)}`)), textposition: "auto", insidetextanchor: "start", constraintext: "none", textangle: 0,
      customdata: row.zeros.map((z) => `0 from ${both(z[0])}<br>true zero from ${both(z[1])}`), meta: [`<b>${row.all}</b>`], hovertemplate: "%{meta[0]}<br>%{customdata}<extra></extra>",
    }));
    const ends = good.flatMap(([r]) => r.zeros.flat()), low = Math.min(0, ...ends) * 1.12, high = Math.max(0, ...ends) * 1.12;
    const shapes = unique(good.flatMap(([r]) => r.zeros.map((z) => z[1]))).map((x) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: css("--text"), width: 1.5, dash: "dot" } }));
    const annotations = shapes.map(({ x0: x }) => ({ x, yref: "paper", y: 1, yanchor: "bottom", xanchor: x > 0 ? "right" : "left", showarrow: false, text: `${narrow ? "" : "true zero from "}${minus(`${+x.toPrecision(5)}`)}` }));
    const yaxis = { automargin: true, categoryorder: "array", categoryarray: good.map(([r]) => label(r, narrow, 22)).reverse(), fixedrange: true };
    const hint = "From the first premature zero to the input from which 0 is the correctly rounded result.";
    return { traces, hint, layout: { barmode: "overlay", xaxis: { title: { text: "Input" }, range: [low, high], zeroline: true, zerolinecolor: css("--soft"), exponentformat: "e" }, yaxis, shapes, annotations, height: (narrow ? 52 : 30) * good.length + 10, showlegend: false } };
  }

  const PLOTS = {
    error: { caption: "Error along the inputs", draw: error },
    histogram: { caption: "How many results are how far off", draw: histogram },
    zeros: { caption: "Where the result is 0 and the exact one is not", draw: zeros },
  };

  function draw(box, data, state) {
    const plot = PLOTS[box.dataset.plot], title = box.previousElementSibling, width = box.clientWidth || title.clientWidth, narrow = width < 600;
    const chosen = data.rows.filter((row) => FIELDS.every((field) => row[field] === state[field]));
    const drawn = plot.draw(chosen, width - 90, data.pieces), caption = shown(`${plot.caption}: ${FIELDS.map((field) => state[field]).join(", ")}`);
    title.parentElement.hidden = !drawn.traces.length;
    if (!drawn.traces.length) return;
    const hint = Object.assign(document.createElement("span"), { className: "soft hint", textContent: drawn.hint });
    title.replaceChildren(caption, hint);
    box.setAttribute("aria-label", `${caption}. ${chosen.length} series; the table “The figures' numbers” below holds them.`);
    const bare = drawn.layout.showlegend === false, top = bare ? 30 : 24 + legendHeight(drawn.traces.map((t) => t.name.split("<br>")), width, narrow);
    const margin = { l: narrow ? 46 : 64, r: 24, t: top, b: 54 }, height = Math.max(120, drawn.layout.height) + margin.t + margin.b;
    paint(box, drawn.traces, { ...layout(drawn.layout, narrow), width: box.clientWidth, height, margin }, { doubleClick: "reset" });
    box.removeAllListeners("plotly_relayout");
    box.on("plotly_relayout", (event) => {
      if (drawn.retick && "xaxis.range[0]" in event) {
        const { tickvals, ticktext } = drawn.retick([event["xaxis.range[0]"], event["xaxis.range[1]"]]);
        Plotly.relayout(box, { "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext });
      }
    });
  }

  // What there is for what is chosen: a choice that leads nowhere gives way to the nearest one that has data, from the last field on.
  function settle(rows, state, changed) {
    const fields = [changed, ...FIELDS.filter((field) => field !== changed)].filter(Boolean);
    let left = rows;
    for (const field of fields) {
      if (!left.some((row) => row[field] === state[field])) state[field] = left[0][field];
      left = left.filter((row) => row[field] === state[field]);
    }
  }

  // What is chosen is in the address, but for what comes first.
  function start(area, data) {
    const form = area.querySelector("form"), { rows } = data, state = {}, key = (field) => `${form.name}.${field}`;
    area.hidden = false;
    for (const field of FIELDS) {
      for (const value of unique(rows.map((row) => row[field]))) form.elements[field].append(new Option(shown(value), value));
    }
    function load() {
      const before = JSON.stringify(state);
      for (const field of FIELDS) state[field] = plain(Address.get(key(field))) || rows[0][field];
      settle(rows, state, "");
      for (const field of FIELDS) form.elements[field].value = state[field];
      return JSON.stringify(state) !== before;
    }
    form.addEventListener("input", ({ target }) => {
      const next = { ...state, [target.name]: target.value };
      settle(rows, next, target.name);
      Address.set(Object.fromEntries(FIELDS.map((field) => [key(field), next[field] === rows[0][field] ? "" : shown(next[field])])));
    });
    live(area, load, (box) => draw(box, data, state));
  }

  for (const area of document.querySelectorAll("[data-errors]")) {
    const data = JSON.parse(area.querySelector("script").textContent);
    start(area, { pieces: data.pieces, rows: decode(data) });
  }
})();
