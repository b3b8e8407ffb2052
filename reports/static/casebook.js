// Draws the casebook's figures, each chapter's when it comes into view: its data are a script of their own, since a page that is read
// from disk can load nothing else.
"use strict";
const Casebook = (() => {
  const { css, plain, layout, paint } = Figures;
  const chapters = {};
  const COLOURS = ["--c0", "--c1", "--c2", "--c3", "--c6", "--c5", "--c4"];
  // Lines and points are told apart without their colours too; what is dashed by itself is "dash".
  const DASHES = ["solid", "dot", "dashdot", "12px,3px", "3px,8px"], SYMBOLS = ["circle", "square", "diamond", "cross", "x"];

  const shownAt = (series, step) => (series.frames ? series.frames[step] : series.reveal ? series.y.slice(0, step + 1) : series.y);
  const cut = (series, values, step) => (series.reveal ? values.slice(0, step + 1) : values);

  function trace(series, index, step, space) {
    const colour = css(COLOURS[index % COLOURS.length]), name = plain(series.name);
    if (series.style === "surface") {
      // Plotly has a row of z for each y.
      const z = series.y.map((_, j) => series.x.map((_, i) => series.z[i][j]));
      return { type: "surface", name, x: series.x, y: series.y, z, opacity: 0.85, showscale: false, colorscale: "Viridis", contours: { z: { show: true, usecolormap: true, width: 1 } } };
    }
    const points = { x: cut(series, series.x, step), y: shownAt(series, step) };
    if (space) Object.assign(points, { z: cut(series, series.z, step) });
    // What is too long to stand inside a node stands below it.
    const beside = series.style === "points" && series.texts?.some((text) => text.length > 3);
    const bare = series.style === "wire", marks = series.style === "points" || series.style === "marked";
    const mode = [series.style !== "points" && !(bare && series.texts) ? "lines" : "", marks ? "markers" : "", series.texts ? "text" : ""].filter(Boolean).join("+");
    return {
      type: space ? "scatter3d" : "scatter", mode, name, ...points, connectgaps: false, showlegend: !bare && !series.texts,
      line: { color: bare ? css("--soft") : colour, width: bare ? 1 : space ? 5 : 2, dash: bare ? "solid" : series.style === "dashed" ? "dash" : DASHES[index % DASHES.length] },
      marker: { color: colour, symbol: series.texts ? "circle" : SYMBOLS[index % SYMBOLS.length], size: series.texts ? (beside ? 16 : 26) : space ? 3 : series.style === "points" ? 5 : 6, opacity: series.style === "points" && !series.texts ? 0.6 : 1 },
      ...(series.texts ? { text: series.texts.map(plain), textposition: beside ? "bottom center" : "middle center", textfont: { color: css(bare || beside ? "--text" : "--card"), size: 11 }, hoverinfo: "skip" } : {}),
    };
  }

  // Powers of ten on a logarithmic axis, as many as have room, and 2 and 5 times them where it spans but few.
  function axis(own, values) {
    if (!own) return { visible: false };
    const range = own.range && (own.log ? own.range.map(Math.log10) : own.range), logs = own.log ? range ?? values.filter((v) => v > 0).map(Math.log10) : [];
    const decades = logs.reduce((a, b) => Math.max(a, b), -Infinity) - logs.reduce((a, b) => Math.min(a, b), Infinity);
    const dtick = decades > 1.3 ? Math.max(1, Math.ceil(decades / 6)) : "D2";
    return { title: { text: plain(own.label), standoff: 8 }, type: own.log ? "log" : "linear", ...(range ? { range } : {}), ...(own.log ? { exponentformat: "power", dtick } : {}), automargin: true };
  }

  function drawPanel(box, panel, step) {
    const space = Boolean(panel.axes.z), narrow = box.clientWidth < 420, diagram = !panel.axes.x;
    const traces = panel.series.map((series, i) => trace(series, i, step, space));
    const drawn = (letter) => traces.flatMap((t) => t[letter]);
    const base = layout({ xaxis: axis(panel.axes.x, drawn("x")), yaxis: axis(panel.axes.y, drawn("y")) }, narrow);
    const titled = { ...base, title: { text: plain(panel.title), font: { size: narrow ? 13 : 15 }, x: 0.5, xanchor: "center", y: 0.97, yanchor: "top" } };
    const named = traces.filter((t) => t.showlegend !== false && t.type !== "surface").length;
    const legendRows = diagram || space ? 0 : Math.ceil(named / Math.max(1, Math.floor(box.clientWidth / 240)));
    Object.assign(titled, {
      width: box.clientWidth, height: (space ? 430 : 320) + 20 * legendRows, showlegend: !diagram && !space && named > 0, uirevision: "kept",
      legend: { orientation: "h", x: 0, y: 0, yref: "container", yanchor: "bottom", font: { size: 12 } }, margin: { l: 62, r: 14, t: 40, b: 56 + 20 * legendRows },
    });
    if (diagram) {
      const xs = panel.series.flatMap((s) => s.x).filter((v) => v !== null), ys = panel.series.flatMap((s) => s.y).filter((v) => v !== null);
      titled.xaxis = { ...titled.xaxis, range: [Math.min(...xs) - 0.45, Math.max(...xs) + 0.45] };
      titled.yaxis = { ...titled.yaxis, range: [Math.min(...ys, -1) - 0.8, Math.max(...ys) + 0.4] };
      titled.margin = { l: 8, r: 8, t: 40, b: 8 };
      titled.height = Math.min(320, 48 + 62 * (titled.yaxis.range[1] - titled.yaxis.range[0]));
    }
    if (space) {
      const named3 = (own) => ({ ...axis(own, []), nticks: 5, gridcolor: css("--line"), automargin: false, title: { text: plain(own.label) } });
      const camera = { eye: { x: 0.9, y: 2.0, z: 0.9 }, center: { x: 0, y: 0, z: -0.15 } };
      titled.scene = { xaxis: named3(panel.axes.x), yaxis: named3(panel.axes.y), zaxis: named3(panel.axes.z), camera, aspectmode: "cube" };
      titled.margin = { l: 0, r: 0, t: 40, b: 0 };
    }
    paint(box, traces, titled);
  }

  function stepper(place, figure, redraw) {
    const form = document.createElement("form"), slider = document.createElement("input"), play = document.createElement("button"), out = document.createElement("output");
    form.className = "filter stepper";
    Object.assign(slider, { type: "range", min: 0, max: figure.steps.length - 1, value: figure.steps.length - 1, step: 1 });
    slider.setAttribute("aria-label", "Step");
    Object.assign(play, { type: "button", textContent: "Play" });
    let timer = 0;
    const show = () => {
      out.textContent = figure.steps[slider.value];
      redraw(Number(slider.value));
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };
    play.addEventListener("click", () => {
      if (timer) return stop();
      if (slider.value === slider.max) slider.value = 0;
      play.textContent = "Stop";
      show();
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        show();
        if (slider.value === slider.max) stop();
      }, 250);
    });
    slider.addEventListener("input", () => { stop(); show(); });
    form.append(play, slider, out);
    place.before(form);
    out.textContent = figure.steps.at(-1);
  }

  function drawFigure(holder, figure) {
    const place = holder.querySelector("[data-panels]");
    holder.querySelector(".stepper")?.remove();
    for (const old of place.querySelectorAll(".panel")) Plotly.purge(old);
    const boxes = figure.panels.map((panel) => {
      const box = document.createElement("div"), cell = document.createElement("div");
      cell.append(box);
      box.className = panel.axes.z ? "panel space" : "panel";
      box.setAttribute("role", "img");
      box.setAttribute("aria-label", `${panel.title}: ${panel.series.map((s) => s.name).join(", ")}`);
      return box;
    });
    place.replaceChildren(...boxes.map((box) => box.parentElement));
    const last = Math.max(0, figure.steps.length - 1);
    holder.redraw = (step = last) => figure.panels.forEach((panel, i) => {
      if (step === last || !holder.drawn || panel.series.some((s) => s.frames || s.reveal)) drawPanel(boxes[i], panel, step);
    });
    holder.drawn = false;
    holder.redraw();
    holder.drawn = true;
    if (figure.steps.length > 1) stepper(place, figure, (step) => holder.redraw(step));
  }

  function show(area, data, chosen) {
    const figures = data[chosen].figures;
    area.querySelectorAll("figure[data-number]").forEach((holder) => {
      const figure = figures[Number(holder.dataset.number)];
      holder.hidden = !figure;
      if (figure) drawFigure(holder, figure);
    });
  }

  // Lists of numbers stand behind the figures, which name them by their places.
  function spread(data, lists) {
    const list = (place) => (Array.isArray(place) ? place.map(list) : lists[place]);
    for (const series of data.flatMap((each) => each.figures).flatMap((figure) => figure.panels).flatMap((panel) => panel.series)) {
      for (const key of ["x", "y", "z", "frames"]) if (key in series) series[key] = list(series[key]);
    }
  }

  function draw(name, data, lists) {
    spread(data, lists);
    const area = document.querySelector(`[data-figures-of="${name}"]`), select = area.querySelector("select"), key = `figure.${name}`;
    const wanted = () => Math.max(0, data.findIndex((each) => each.backend === Address.get(key)));
    let shown = wanted();
    chapters[name] = area;
    show(area, data, shown);
    if (!select) return;
    select.form.hidden = false;
    select.value = shown;
    select.addEventListener("input", () => Address.set({ [key]: select.value === "0" ? "" : data[select.value].backend }));
    Address.watch(() => {
      if (wanted() === shown) return;
      shown = wanted();
      select.value = shown;
      show(area, data, shown);
    });
  }

  function load(area) {
    // In a report of one file the script is in it.
    if (globalThis.Single) return Single.run(area.dataset.source);
    const script = document.createElement("script");
    script.src = area.dataset.source;
    document.head.append(script);
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      load(entry.target);
    }
  }, { rootMargin: "600px" });
  Figures.ready.then(() => { for (const area of document.querySelectorAll("[data-figures-of]")) seen.observe(area); });

  const again = () => { for (const area of Object.values(chapters)) for (const holder of area.querySelectorAll("figure[data-number]")) holder.redraw?.(); };
  Theme.watch(again);
  let width = innerWidth, waiting = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(again, 150);
  });
  return { draw };
})();
