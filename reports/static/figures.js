// What the scripts of figures share: colours, texts, the layout, and drawing again when something changes.
"use strict";
const Figures = (() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
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

  // Fills the form beside the figures with what `options` finds for each of its fields, the first being chosen, and draws every figure.
  function start(area, options, draw) {
    const form = area.querySelector("form"), state = {};
    area.hidden = false;
    for (const select of form.querySelectorAll("select")) {
      const { values, first } = options(select.name);
      for (const value of values) select.append(new Option(shown(value), value, false, value === first));
      state[select.name] = first;
    }
    const all = () => { for (const box of area.querySelectorAll("[data-plot]")) draw(box, state); };
    form.addEventListener("input", (event) => { state[event.target.name] = event.target.value; all(); });
    dark.addEventListener("change", all);
    let width = 0;
    new ResizeObserver(() => {
      if (area.clientWidth !== width) {
        width = area.clientWidth;
        requestAnimationFrame(all);
      }
    }).observe(area);
  }

  return { css, unique, sorted, plain, shown, wrap, layout, legendHeight, start };
})();
