"use strict";
// The form of a model works without this file. It adds sliders, says beforehand what would be warned of or refused,
// takes rows pasted into any field, and shows what-ifs without leaving the page.

const ask = document.getElementById("ask");
const decimal = ask.dataset.decimal;
const strict = decimal === "," ? /^[+-]?(\d+,?\d*|,\d+)(e[+-]?\d+)?$/i : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const changed = () => new Event("change", { bubbles: true });

function read(text) {
  const plain = text.trim().replace("\u2212", "-");
  return strict.test(plain) ? Number(plain.replace(",", ".")) : NaN;
}

function write(value, step) {
  const digits = Math.min(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), 12);
  return String(Number(value.toFixed(digits))).replace(".", decimal);
}

function range(text) {
  return text.split(" ").map((end) => (end.endsWith("inf") ? (end[0] === "-" ? -Infinity : Infinity) : Number(end)));
}

function foresee(input) {
  const said = input.dataset;
  const text = input.value.trim();
  if (!text) return "";
  if (!("number" in said)) {
    const known = [...input.list.options].some((o) => o.value === input.value || o.textContent === input.value);
    return known ? "" : said.unlisted;
  }
  const value = read(text);
  if (Number.isNaN(value)) return said.unread;
  const [least, most] = range(said.allowed);
  const [low, high] = range(said.learned);
  if (value < least) return said.below;
  if (value > most) return said.above;
  return value < low || value > high ? said.outside ?? "" : "";
}

// A sentence moves what is below it: never between pressing a button and letting go of it.
let pressed = false;
const held = new Map();

function say(place, sentence) {
  if (pressed) held.set(place, sentence);
  else if (place.textContent !== sentence) place.textContent = sentence;
}

addEventListener("pointerdown", () => { pressed = true; }, true);
for (const end of ["pointerup", "pointercancel", "dragend"]) {
  addEventListener(end, () => setTimeout(() => {
    pressed = false;
    for (const [place, sentence] of held) say(place, sentence);
    held.clear();
  }), true);
}

for (const input of ask.querySelectorAll("input[data-number], input[list]")) {
  const place = document.getElementById(`${input.id}-foreseen`);
  const band = input.closest(".field").querySelector(".band");
  const slider = band && addSlider(input, band);
  const follow = (typing) => {
    const said = foresee(input) ?? "";
    // A number is not yet wrong while it is being typed.
    const early = typing && said === input.dataset.unread;
    if (place && !early) say(place, said);
    if (!slider) return;
    const value = read(input.value);
    band.classList.toggle("unset", Number.isNaN(value));
    band.classList.toggle("outside", said !== "" && !Number.isNaN(value));
    const typical = parseFloat(input.dataset.typical); // as schemas write it: with a point, whatever the page does
    slider.value = !Number.isNaN(value) ? value : Number.isNaN(typical) ? slider.min : typical;
  };
  input.addEventListener("input", () => follow(true));
  input.addEventListener("change", () => follow(false));
  if ("number" in input.dataset) input.addEventListener("keydown", (event) => nudge(event, input, band));
  // What is wrong already stands above the field.
  if (place && input.hasAttribute("aria-invalid")) place.hidden = true;
  input.addEventListener("input", () => { if (place) place.hidden = false; }, { once: true });
  follow(false);
}

function addSlider(input, band) {
  const slider = document.createElement("input");
  const { low, high, step } = band.dataset;
  Object.assign(slider, { type: "range", min: low, max: high, step, className: "slider", tabIndex: -1 });
  slider.addEventListener("input", () => {
    input.value = write(slider.valueAsNumber, Number(step));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  slider.addEventListener("change", (event) => {
    event.stopPropagation();
    input.dispatchEvent(changed());
  });
  band.append(slider);
  return slider;
}

// The slider is for the mouse and the finger; on the keyboard its arrows are those of the number itself.
function nudge(event, input, band) {
  const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
  if (!steps || event.altKey || event.ctrlKey || event.metaKey) return;
  const step = band ? Number(band.dataset.step) : 1;
  const from = read(input.value);
  const to = Number.isNaN(from) ? Number(input.dataset.typical) || 0 : from + steps * step;
  const [least, most] = range(input.dataset.allowed);
  event.preventDefault();
  const digits = (input.value.split(decimal)[1] ?? "").length;
  input.value = write(Math.min(Math.max(to, least), most), Math.min(step, 10 ** -digits));
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.dispatchEvent(changed());
}

// An image that was chosen is shown before it is sent.
for (const input of ask.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (!file) return;
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      const picture = Object.assign(document.createElement("p"), { className: "picture" });
      const image = Object.assign(document.createElement("img"), { src: reader.result, alt: file.name });
      const name = Object.assign(document.createElement("span"), { className: "small dim", textContent: file.name });
      image.addEventListener("load", () => picture.classList.toggle("tiny", image.naturalWidth <= 64));
      picture.append(image, name);
      input.closest(".field").querySelector(".picture")?.remove();
      input.before(picture);
    });
    reader.readAsDataURL(file);
  });
}

// A whole row pasted into a single field is put where it belongs.
ask.addEventListener("paste", (event) => {
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (!event.target.matches("input[type=text]") || !/\t|\n\s*\S/.test(text)) return;
  event.preventDefault();
  const pasted = document.getElementById("pasted");
  pasted.value = text;
  ask.requestSubmit(document.querySelector("#paste [type=submit]"));
});

// What-ifs: the same request that the button makes, and its answer in place of the one that is shown.
const live = document.getElementById("live");
const moved = document.getElementById("moved");
const DELAY = 300;
let waiting;
let latest = 0;
let last = signature();

function told(value) {
  return value instanceof File ? `${value.name} ${value.size} ${value.lastModified}` : value;
}

function signature() {
  const asked = [...new FormData(ask)].filter(([name]) => name !== "form-pasted");
  return new URLSearchParams(asked.map(([name, value]) => [name, told(value)])).toString();
}

async function whatIf() {
  const now = signature();
  if (now === last) return;
  last = now;
  const mine = (latest += 1);
  const asked = new FormData(ask);
  asked.delete("form-pasted");
  const body = ask.enctype === "multipart/form-data" ? asked : new URLSearchParams(asked);
  body.set("form-mode", "what-if");
  const answer = document.getElementById("answer");
  answer.classList.add("asking");
  try {
    const response = await fetch(ask.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (mine !== latest) return;
    const fresh = page.getElementById("answer");
    if (response.ok && fresh) {
      answer.replaceChildren(...fresh.childNodes);
      history.replaceState(null, "", response.url);
      localTimes(answer); // of page.js
      moved.textContent = [...answer.querySelectorAll(".said, .classes .first.num, .before")].map((p) => p.textContent.trim().replace(/\s+/g, " ")).join(", ");
    } else {
      const parts = [...page.querySelectorAll("main .summary li, main .note[role=alert] p")];
      const said = parts.map((p) => p.textContent.trim().replace(/\s+/g, " "));
      const note = Object.assign(document.createElement("div"), { className: "note danger", role: "alert" });
      note.textContent = said.join(" · ") || response.statusText;
      answer.querySelector(".note.danger")?.remove();
      answer.prepend(note);
      last = "";
    }
  } finally {
    if (mine === latest) answer.classList.remove("asking");
  }
}

if (live) {
  live.closest("label").hidden = false;
  ask.addEventListener("change", (event) => {
    clearTimeout(waiting);
    if (live.checked && event.target !== live) waiting = setTimeout(whatIf, DELAY);
  });
}
