"use strict";
// Keys for the ledger and its records. Without this file both are plain links and forms.

const OFF = "parecer-keys-off";
const rows = [...document.querySelectorAll(".ledger .open")];
const keys = document.querySelector("#keys");
const single = keys?.querySelector("[data-single]");
const on = () => !single || single.checked;

if (keys) {
  try { single.checked = !localStorage.getItem(OFF); } catch { /* a browser that keeps nothing */ }
  single.addEventListener("change", () => {
    try { if (single.checked) localStorage.removeItem(OFF); else localStorage.setItem(OFF, "1"); } catch { /* as above */ }
  });
  const button = document.querySelector("[data-keys]");
  button.hidden = false;
  button.addEventListener("click", () => keys.showModal());
}

// The list is left where it ends: Tab goes on from the row that has the focus.
function step(by) {
  const at = rows.indexOf(document.activeElement);
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  next?.focus();
  return Boolean(next);
}

const typing = (target) => target.closest("input, select, textarea, [contenteditable], dialog, summary");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const inList = rows.includes(document.activeElement);
  let done = false;
  if (inList && event.key === "ArrowDown") done = step(1);
  else if (inList && event.key === "ArrowUp") done = step(-1);
  else if (!on()) return;
  else if (event.key === "j") done = step(1);
  else if (event.key === "k") done = step(-1);
  else if (event.key === "?" && keys) { keys.showModal(); done = true; }
  else if (event.key === "/") {
    const search = document.querySelector("#q");
    if (search) { search.focus(); search.select(); done = true; }
  } else {
    const link = [...document.querySelectorAll("[data-key]")].find((a) => a.dataset.key === event.key);
    if (link) { link.click(); done = true; }
  }
  if (done) event.preventDefault();
});
