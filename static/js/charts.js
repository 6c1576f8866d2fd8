"use strict";
// Draws every figure of the page; the numbers are in a JSON block beside it and in the table under it.

if (typeof Plotly === "undefined") {
  document.documentElement.classList.remove("charts"); // it did not load: the tables say the same
  throw new Error("Plotly is missing");
}

const language = document.documentElement.lang;
const days = ["domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado"];
const months = ["janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"];
const short = (names) => names.map((name) => name.slice(0, 3));
Plotly.register({
  moduleType: "locale",
  name: "pt-BR",
  dictionary: {},
  format: {
    days, months, shortDays: short(days), shortMonths: short(months),
    decimal: ",", thousands: ".", grouping: [3], periods: ["", ""],
    date: "%d/%m/%Y", time: "%H:%M:%S", dateTime: "%d/%m/%Y %H:%M", year: "%Y", month: "%b %Y", dayMonth: "%d %b", dayMonthYear: "%d %b %Y",
  },
});

const config = { displaylogo: false, displayModeBar: false, showSendToCloud: false, responsive: true, locale: language };
const drawn = [];

// Tokens depend on the colour scheme in force, so that only an element can tell what they come to.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function colour(text, onPaper) {
  probe.style.colorScheme = onPaper ? "light" : "";
  probe.style.color = text;
  return getComputedStyle(probe).color;
}

// The same figure with each var(--token) as the colour it comes to.
function resolved(part, onPaper) {
  if (typeof part === "string") return part.startsWith("var(--") ? colour(part, onPaper) : part;
  if (Array.isArray(part)) return part.map((one) => resolved(one, onPaper));
  if (part === null || typeof part !== "object") return part;
  return Object.fromEntries(Object.entries(part).map(([name, one]) => [name, resolved(one, onPaper)]));
}

function themed(layout, width, onPaper) {
  const axis = { gridcolor: "var(--line)", linecolor: "var(--line-2)", zerolinecolor: "var(--line-2)" };
  const hoverlabel = { bgcolor: "var(--ground-2)", bordercolor: "var(--line-2)", font: { color: "var(--ink)" } };
  return resolved({
    ...layout,
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    separators: language === "pt-BR" ? ",." : ".\u202f",
    hoverlabel,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "var(--ink-2)" },
    // Labels that do not fit side by side would be turned, and cut off below the plot.
    xaxis: { ...axis, tickangle: 0, nticks: Math.max(3, Math.floor(width / 100)), ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
  }, onPaper);
}

// On paper, colour alone does not survive and the page is narrower than the window.
// The order is that of the classes in print.css.
const shapes = ["", "/", "-", "\\", "|", "", "", ""];
const fills = ["#000", "#000", "#000", "#000", "#000", "#777", "#ccc", "#fff"];
const FULL = 600;
const HALF = 270;
const LOW = 200; // as in print.css

function forPaper(trace) {
  if (trace.type !== "bar") return trace;
  const place = /--c(\d)/.exec(trace.marker.color)?.[1];
  const shape = place === undefined ? "x" : shapes[place];
  const pattern = { shape, fgcolor: "#000", bgcolor: "#fff", size: 5, solidity: 0.3 };
  return { ...trace, marker: { color: fills[place] ?? "#000", pattern, line: { color: "#000", width: 0.5 } } };
}

function draw(plot, figure, onPaper = false) {
  const data = onPaper ? figure.data.map(forPaper) : figure.data;
  const width = plot.closest(".pair") ? HALF : FULL;
  const layout = themed(figure.layout, onPaper ? width : plot.clientWidth, onPaper);
  if (onPaper) Object.assign(layout, { width, height: LOW });
  Plotly.react(plot, resolved(data, onPaper), layout, config);
}

const drawAll = (onPaper) => { for (const [plot, figure] of drawn) draw(plot, figure, onPaper); };

for (const chart of document.querySelectorAll(".chart")) {
  const figure = JSON.parse(chart.querySelector(".chart-data").textContent);
  const plot = chart.querySelector(".plot");
  plot.hidden = false;
  chart.querySelector("details").open = false;
  chart.classList.add("drawn");
  draw(plot, figure);
  drawn.push([plot, figure]);
}

window.addEventListener("beforeprint", () => drawAll(true));
window.addEventListener("afterprint", () => drawAll(false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(false));
new MutationObserver(() => drawAll(false)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
