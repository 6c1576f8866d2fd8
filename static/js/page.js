"use strict";
// Pages work without this file; it adds local times, copying, printing and a guard against double clicks.

const format = (timeStyle) => new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle, hourCycle: "h23" });
const [local, zoned] = [format("medium"), format("long")]; // a time that stands alone says its zone
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

function localTimes(part) {
  for (const time of part.querySelectorAll("time[datetime]")) {
    const utc = time.textContent;
    const moment = new Date(time.dateTime);
    if ("both" in time.dataset) {
      time.textContent = `${local.format(moment)} (${zone}) · ${utc}`;
    } else {
      time.title = utc;
      time.textContent = zoned.format(moment);
    }
  }
}
localTimes(document);

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const said = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = said; }, 1500);
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

for (const form of document.querySelectorAll("form[data-once]")) {
  // Afterwards: the name of a disabled button would not be sent.
  form.addEventListener("submit", () => setTimeout(() => { for (const b of form.querySelectorAll("[type=submit]")) b.disabled = true; }));
  // A page shown again from the browser's memory would keep its buttons disabled.
  window.addEventListener("pageshow", () => { for (const b of form.querySelectorAll("[type=submit]")) b.disabled = false; });
}

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

document.querySelector(".summary")?.focus();
