// Draws the figures of sweeps from the data block beside them: the error over all inputs, and where results vanish too soon.
"use strict";
(() => {
  const { css, unique, plain, shown, wrap, layout, legendHeight, paint, start } = Figures;
  const FIELDS = ["what", "dtype", "backend", "mode", "implementation"];
  const SYMBOLS = ["circle-open", "x-thin", "square-open", "cross-thin", "diamond-open", "triangle-up-open"];
  // Inputs are placed by their order: all positive numbers of a format make 512 pieces, so many of them to a power of two.
  const HALF = 512;
  const FORMATS = { float16: { each: 16, least: -14, bits: 16 }, bfloat16: { each: 2, least: -126, bits: 16 }, float32: { each: 2, least: -126, bits: 32 } };

  const end = (format) => HALF - format.each;
  function placeOf(format, x) {
    const size = Math.abs(x), exponent = Math.max(Math.floor(Math.log2(size)), format.least);
    return Math.sign(x) * (exponent - format.least + size / 2 ** exponent) * format.each;
  }
  function inputAt(format, place) {
    const size = Math.abs(place), binade = Math.floor(size / format.each);
    if (size >= end(format)) return Math.sign(place) * Infinity;
    const x = binade === 0 ? (size / format.each) * 2 ** format.least : (1 + size / format.each - binade) * 2 ** (binade - 1 + format.least);
    return place < 0 || Object.is(place, -0) ? -x : x;
  }

  // As Python writes it, without the zeros at the end.
  function hex(x) {
    const sign = x < 0 || Object.is(x, -0) ? "-" : "", size = Math.abs(x);
    if (!Number.isFinite(size) || size === 0) return `${sign}${size ? "inf" : "0x0p+0"}`;
    const exponent = Math.floor(Math.log2(size)), digits = (size / 2 ** exponent - 1).toString(16).slice(1);
    return `${sign}0x1${digits}p${exponent < 0 ? "" : "+"}${exponent}`;
  }
  const input = (name, x) => `${name} = ${hex(x)} (${+x.toPrecision(6)})`;

  // The worst result of a piece of the inputs: where it is, how large, and its input, of a pair the first one's place and both.
  function point(row, bucket, distance, place) {
    const { format, pairs } = row, side = bucket < HALF ? 1 : -1, start = bucket % HALF;
    const signed = (at) => (side < 0 ? -at : at);
    if (place < 0) return { at: signed(start + 0.5), distance, text: "input not recorded" };
    if (!pairs) {
      const at = signed(start + place / (2 ** format.bits / (2 * HALF)));
      return { at, distance, text: input("x", inputAt(format, at)) };
    }
    const at = signed(start + Math.floor(place / 65536) / 64), second = place % 65536, other = (second % 32768) / 64;
    return { at, distance, text: `${input("x", inputAt(format, at))}<br>${input("y", inputAt(format, second < 32768 ? other : -other))}` };
  }

  // step,error,place: a step of 1 and an unknown place are left out.
  function points(row, profile) {
    let bucket = -1;
    return profile.split(" ").filter(Boolean).map((entry) => {
      const [step, distance, place] = entry.split(",");
      bucket += step ? Number(step) : 1;
      return point(row, bucket, Number(distance), place ? parseInt(place, 16) : -1);
    }).sort((a, b) => a.at - b.at);
  }

  function decode(data) {
    return data.rows.map((coded) => {
      const row = Object.fromEntries(FIELDS.map((field, i) => [field, plain(data.texts[coded[i]])]));
      const [profile, pairs, zeros] = coded.slice(FIELDS.length);
      Object.assign(row, { pairs, zeros, format: FORMATS[row.dtype], name: `${row.implementation} · ${row.backend} · ${row.mode}` });
      return Object.assign(row, { points: points(row, data.texts[profile]) });
    });
  }

  // Black or white, whichever is read on a colour: rgb(r, g, b).
  function ink(color) {
    const [r, g, b] = color.match(/\d+/g).map((part) => (part / 255) ** 2.2);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
  }

  function styles(all) {
    const names = unique(all.map((r) => `${r.backend} ${r.implementation}`)), modes = unique(all.map((r) => r.mode));
    return (row) => {
      const i = names.indexOf(`${row.backend} ${row.implementation}`);
      return { color: css(`--c${i % 7}`), symbol: SYMBOLS[(modes.indexOf(row.mode) + modes.length * Math.floor(i / 7)) % SYMBOLS.length] };
    };
  }

  const minus = (text) => text.replace(/^-/, "−").replace("e-", "e−");
  // Powers of ten, zero and the infinities, as many as fit; where there is much room, 2 and 5 times the powers as well.
  function ticks(format, range, width) {
    const gap = 58, scale = width / (range[1] - range[0]), decade = format.each * Math.log2(10) * scale;
    const step = [1, 2, 5, 10, 20].find((s) => s * decade >= gap) ?? 40, inside = (at) => Math.min(at, end(format) - at) * scale >= 0.7 * gap;
    const found = [[0, "0"], [end(format), "∞"], [-end(format), "−∞"]];
    for (let d = -40; d <= 40; d += step) {
      for (const digit of decade > 4 * gap ? [1, 2, 5] : [1]) {
        const at = placeOf(format, digit * 10 ** d), label = Math.abs(d) < 4 ? `${+(digit * 10 ** d).toPrecision(1)}` : `${digit}e${minus(`${d}`)}`;
        if (inside(at)) found.push([at, label], [-at, `−${label}`]);
      }
    }
    const within = found.filter(([at]) => at >= range[0] && at <= range[1]);
    const seen = within.length > 1 ? within : range.map((at) => [at, minus(`${+inputAt(format, at).toPrecision(6)}`)]);
    return { tickvals: seen.map((t) => t[0]), ticktext: seen.map((t) => t[1]) };
  }

  const label = (row, narrow, most = 42) => (narrow ? `${wrap(row.implementation, most)}<br>${row.backend} · ${row.mode}` : row.name);

  function error(rows, all, width) {
    const style = styles(all), format = rows[0].format, range = [-end(format) - 6, end(format) + 6];
    const traces = rows.map((row) => {
      const { color, symbol } = style(row), none = row.points.length === 0;
      return {
        type: "scatter", mode: "markers", name: label(row, width < 600) + (none ? " (none)" : ""),
        x: none ? [null] : row.points.map((p) => p.at), y: none ? [null] : row.points.map((p) => p.distance),
        marker: { color, symbol, size: 6, line: { width: 1.2, color } },
        meta: [`<b>${wrap(row.implementation, 40)}</b><br>${row.backend} · ${row.mode} · ${row.dtype}`],
        text: row.points.map((p) => p.text), hovertemplate: "%{meta[0]}<br>%{text}<br>%{y:,} ulp<extra></extra>",
      };
    });
    const most = Math.max(10, ...rows.flatMap((r) => r.points.map((p) => p.distance))), digits = Math.ceil(Math.log10(most));
    const xaxis = { title: { text: rows[0].pairs ? "First input, in the order of the numbers" : "Input, in the order of the numbers" }, range, showline: true, ...ticks(format, range, width) };
    const yaxis = { title: { text: "Largest error (ulp, log scale)" }, type: "log", range: [-0.12, Math.log10(most) + 0.12], dtick: digits > 5 ? 2 : 1, exponentformat: "power", fixedrange: true };
    return { traces, layout: { xaxis, yaxis, height: 340 }, retick: (to) => ticks(format, to, width), count: traces.length };
  }

  function zeros(rows, all, width) {
    const style = styles(all), good = rows.filter((r) => r.zeros.length), narrow = width < 600;
    const traces = good.map((row) => ({
      type: "bar", orientation: "h", name: row.name, y: row.zeros.map(() => label(row, narrow, 22)), base: row.zeros.map((z) => z[0]), x: row.zeros.map((z) => z[1] - z[0]),
      marker: { color: style(row).color }, insidetextfont: { color: ink(style(row).color) }, text: row.zeros.map((z) => minus(`${+z[0].toPrecision(4)}`)), textposition: "auto", insidetextanchor: "start", constraintext: "none", textangle: 0,
      customdata: row.zeros.map((z) => `0 from ${input("x", z[0])}<br>true zero from ${input("x", z[1])}`), meta: [`<b>${row.name}</b>`], hovertemplate: "%{meta[0]}<br>%{customdata}<extra></extra>",
    }));
    const ends = good.flatMap((r) => r.zeros.flat()), low = Math.min(0, ...ends) * 1.12, high = Math.max(0, ...ends) * 1.12;
    const shapes = unique(good.flatMap((r) => r.zeros.map((z) => z[1]))).map((x) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: css("--text"), width: 1.5, dash: "dot" } }));
    const annotations = shapes.map(({ x0: x }) => ({ x, yref: "paper", y: 1, yanchor: "bottom", xanchor: x > 0 ? "right" : "left", showarrow: false, text: `${narrow ? "" : "true zero from "}${minus(`${+x.toPrecision(5)}`)}` }));
    const yaxis = { automargin: true, categoryorder: "array", categoryarray: good.map((r) => label(r, narrow, 22)).reverse() };
    return { traces, layout: { barmode: "overlay", xaxis: { title: { text: "Input" }, range: [low, high], zeroline: true, zerolinecolor: css("--soft"), exponentformat: "e" }, yaxis, shapes, annotations, height: (narrow ? 46 : 26) * good.length, showlegend: false }, count: good.length };
  }

  const PLOTS = {
    error: { caption: (s) => `Error over all inputs: ${s.what}, ${s.ftype}`, hint: "Largest error in each of 1,024 pieces; those without any are left out. Drag to zoom, double-click for all.", draw: error },
    zeros: { caption: (s) => `Where the result is 0 and the exact one is not: ${s.what}, ${s.ftype}`, hint: "From the first premature zero to the input from which 0 is the correctly rounded result.", draw: zeros },
  };

  function draw(box, all, state) {
    const plot = PLOTS[box.dataset.plot], narrow = box.clientWidth < 600, title = box.previousElementSibling;
    const chosen = all.filter((r) => r.what === state.what && r.dtype === state.ftype);
    const drawn = chosen.length ? plot.draw(chosen, all, box.clientWidth - 90) : { count: 0 };
    const caption = shown(plot.caption(state)), hint = document.createElement("span");
    const visible = drawn.count || box.dataset.plot === "error";
    title.parentElement.hidden = !visible;
    title.textContent = drawn.count ? caption : `${caption}: not swept`;
    Object.assign(hint, { className: "soft hint", textContent: plot.hint });
    if (drawn.count) title.append(hint);
    box.hidden = !drawn.count;
    box.setAttribute("aria-label", `${caption}. ${drawn.count} outputs; the table below holds them.`);
    if (!drawn.count) return;
    const top = drawn.layout.showlegend === false ? 30 : 24 + legendHeight(drawn.traces.map((t) => t.name.split("<br>")), box.clientWidth, narrow);
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

  function options(all, name) {
    const values = unique(all.map((r) => (name === "what" ? r.what : r.dtype)));
    return { values, first: values.includes("float32") ? "float32" : values[0] };
  }

  for (const area of document.querySelectorAll("[data-sweeps]")) {
    const all = decode(JSON.parse(area.querySelector("script").textContent));
    start(area, (name) => options(all, name), (box, state) => draw(box, all, state));
  }
})();
