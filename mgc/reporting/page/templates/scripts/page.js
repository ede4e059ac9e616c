"use strict";
// What the other scripts share: the data, the theme, and which run is shown.
const report = JSON.parse(document.getElementById("report-data").textContent);

function unpacked(text, Kind) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

function byId(id) { return document.getElementById(id); }

// A name as an element: isolated, so that it keeps its own writing direction; text, never HTML.
function nameElement(text, long) {
  const made = document.createElement("bdi");
  made.textContent = text;
  if (long) made.className = "long";
  return made;
}

// Theme
const root = document.documentElement;

function themed(name) { return getComputedStyle(root).getPropertyValue(name).trim(); }
function palette() { return report.palette[themed("--scheme") === "dark" ? "dark" : "light"]; }
function announceTheme() { document.dispatchEvent(new Event("theme")); }

const themes = ["system", "light", "dark"];
let theme = 0;
byId("theme").addEventListener("click", (event) => {
  theme = (theme + 1) % themes.length;
  if (theme) root.dataset.theme = themes[theme];
  else delete root.dataset.theme;
  event.currentTarget.textContent = "Theme: " + themes[theme];
  announceTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announceTheme);

// Print in the light theme, with everything expanded.
let before = null;
addEventListener("beforeprint", () => {
  const closed = [...document.querySelectorAll("details:not([open])")];
  before = { theme: root.dataset.theme, closed };
  root.dataset.theme = "light";
  for (const one of closed) one.open = true;
  announceTheme();
});
addEventListener("afterprint", () => {
  if (!before) return;
  if (before.theme) root.dataset.theme = before.theme;
  else delete root.dataset.theme;
  for (const one of before.closed) one.open = false;
  before = null;
  announceTheme();
});

// The run that matrix, map and curves show: one choice for all of them.
const chosen = { run: 0 };

function chooseRun(number) {
  chosen.run = number;
  for (const picker of document.querySelectorAll("[data-run-picker]")) picker.value = String(number);
  for (const panel of document.querySelectorAll("[data-run]")) {
    panel.hidden = Number(panel.dataset.run) !== number;
  }
  for (const card of document.querySelectorAll("[data-chosen]")) {
    card.classList.toggle("chosen", Number(card.dataset.chosen) === number);
  }
  document.dispatchEvent(new Event("run"));
}
for (const picker of document.querySelectorAll("[data-run-picker]")) {
  picker.addEventListener("change", () => chooseRun(Number(picker.value)));
}

chooseRun(0);

// On a phone, long lists are folded: what is open there is one's own choice.
const phone = matchMedia("screen and (max-width: 760px)");
function fold() { for (const one of document.querySelectorAll("details.fold")) one.open = !phone.matches; }
phone.addEventListener("change", fold);
fold();

// A chart is made when it first comes near the viewport, and follows the window's size.
function whenNear(element, make) {
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    make();
  }, { rootMargin: "600px" });
  watcher.observe(element);
  addEventListener("beforeprint", () => { watcher.disconnect(); make(); }, { once: true });
}

function followSize(element, chart, after) {
  new ResizeObserver(() => {
    chart.resize();
    if (after) after();
  }).observe(element);
}
