"use strict";
// A batch's page follows its worker; the form of a new one refuses what the server would have to.

const box = document.getElementById("job");
const PAUSE = 1000;
const REACHED = "a[href], button, summary, input, select";
const away = document.getElementById("away");
let shown = "";

async function follow() {
  let pause = PAUSE;
  try {
    const answer = await fetch(box.dataset.state, { headers: { Accept: "text/html" }, redirect: "error" });
    if (answer.status === 403 || answer.status === 404) { location.reload(); return; }
    if (answer.ok) {
      const text = await answer.text();
      const plain = text.replace(/name="csrf_token" value="[^"]*"/g, ""); // another one in every answer
      if (plain !== shown) { shown = plain; show(text); }
      away.hidden = true;
    } else pause *= 5;
  } catch { // the server may be starting again
    pause *= 5;
    away.hidden = false;
  }
  if (box.querySelector("[data-active]")) setTimeout(follow, pause);
}

function show(text) {
  const open = [...box.querySelectorAll("details")].map((d) => d.open);
  const at = [...box.querySelectorAll(REACHED)].indexOf(document.activeElement);
  box.innerHTML = text; // our own page, as the server writes it
  box.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
  if (at >= 0) box.querySelectorAll(REACHED)[at]?.focus({ preventScroll: true });
}

if (box?.querySelector("[data-active]")) setTimeout(follow, PAUSE);

for (const form of document.querySelectorAll("form[data-most]")) {
  const file = form.querySelector("input[type=file]");
  const note = document.getElementById("file-large");
  const large = () => (file.files[0]?.size ?? 0) > Number(form.dataset.most);
  file.addEventListener("change", () => { note.hidden = !large(); });
  form.addEventListener("submit", (event) => {
    if (!large()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    note.hidden = false;
    file.focus();
  }, { capture: true });
}
