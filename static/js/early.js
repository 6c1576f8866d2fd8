"use strict";
// Runs before the page is drawn, so that room is kept for the charts and their tables do not flash up first.
document.documentElement.classList.add("charts");
