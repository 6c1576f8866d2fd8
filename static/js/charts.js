"use strict";
// Draws every figure of the page; the numbers are in a JSON block beside it and in the table under it.

const style = getComputedStyle(document.documentElement);
const token = (name) => style.getPropertyValue(name).trim();
const config = { displaylogo: false, displayModeBar: false, showSendToCloud: false, responsive: true };
const drawn = [];

function themed(layout, width) {
  const axis = { gridcolor: token("--line"), linecolor: token("--line-2"), zerolinecolor: token("--line-2") };
  return {
    ...layout,
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: token("--ink-2") },
    // Labels that do not fit side by side would be turned, and cut off below the plot.
    xaxis: { ...axis, tickangle: 0, nticks: Math.max(3, Math.floor(width / 100)), ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
  };
}

if (typeof Plotly === "undefined") {
  document.documentElement.classList.remove("charts"); // it did not load: the tables say the same
  throw new Error("Plotly is missing");
}

for (const chart of document.querySelectorAll(".chart")) {
  const figure = JSON.parse(chart.querySelector(".chart-data").textContent);
  const plot = chart.querySelector(".plot");
  plot.hidden = false;
  chart.querySelector("details").open = false;
  chart.classList.add("drawn");
  Plotly.newPlot(plot, figure.data, themed(figure.layout, plot.clientWidth), config);
  drawn.push([plot, figure]);
}

// On paper, colour alone does not survive and the page is narrower than the window.
const shapes = ["", "/", "x", "-", "\\", "|", "+", "."];
const FULL = 600;
const HALF = 270;

function forPaper(on) {
  for (const [plot, figure] of drawn) {
    const bars = figure.data[0]?.type === "bar";
    const patterns = bars ? { "marker.pattern.shape": figure.data.map((_, i) => (on ? shapes[i % shapes.length] : "")) } : {};
    const width = plot.closest(".pair") ? HALF : FULL;
    Plotly.update(plot, patterns, on ? { width } : { width: null, autosize: true });
  }
}
window.addEventListener("beforeprint", () => forPaper(true));
window.addEventListener("afterprint", () => forPaper(false));
