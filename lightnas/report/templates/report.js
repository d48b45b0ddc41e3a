"use strict";
// A point's text on hover and focus; a click, Enter or Space on what has data-copy copies the text of that element.
// What needs this script is hidden without it (class "script").
document.documentElement.classList.add("scripted");
const tip = document.getElementById("tip");
let hiding = 0;

function show(text, box) {
  clearTimeout(hiding);
  tip.textContent = text;
  tip.hidden = false;
  const own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(4, box.left + box.width / 2 - own.width / 2), innerWidth - own.width - 4);
  const above = box.top - own.height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
}

function hide() {
  tip.hidden = true;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page that the browser does not trust with the clipboard: the old way.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("the browser refused");
  }
}

async function copyFrom(element) {
  const source = document.getElementById(element.dataset.copy);
  if (element.closest("svg")) open_(source.closest("details"));
  const box = element.getBoundingClientRect();
  try {
    await copyText(source.textContent);
    show("Copied the structure txt", box);
  } catch {
    show("The browser refused to copy: open the structure below", box);
  }
  hiding = setTimeout(hide, 2000);
}

// The structure of a point that was clicked: open, and first of all.
function open_(details) {
  for (const other of details.parentElement.querySelectorAll("details[open]")) other.open = false;
  details.open = true;
  details.parentElement.querySelector("h2").after(details);
}

function download(text, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name.replace(/[^\w.-]+/g, "-");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The text of a cell, without the buttons in it.
function textOf(cell) {
  const copy = cell.cloneNode(true);
  for (const inner of copy.querySelectorAll(".script, small")) inner.remove();
  return copy.textContent.trim();
}

function csvOf(table) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  // A spreadsheet takes a text that opens so for a formula.
  const safe = (text) => (/^[=+@\t]|^-\D/.test(text) ? `'${text}` : text);
  return [...table.rows].map((row) => [...row.cells].map((cell) => quoted(safe(textOf(cell)))).join(",") + "\n").join("");
}

const UNITS = { K: 1e3, M: 1e6, G: 1e9, T: 1e12, us: 1e-6, ms: 1e-3, s: 1, "%": 1 };

// What a cell is sorted by: its number, else its text; what is not known comes last.
function keyOf(cell) {
  const text = textOf(cell);
  const match = /^([+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?) ?(us|ms|[KMGTs%])?(?![\w-])/.exec(text);
  if (!match) return text === "-" ? null : text;
  return Number(match[1].replaceAll(",", "")) * (UNITS[match[2]] ?? 1);
}

function compareKeys(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

function sortBy(button) {
  const head = button.closest("th");
  const rising = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const body = head.closest("table").tBodies[0];
  const rows = [...body.rows].map((row) => [keyOf(row.cells[head.cellIndex]), row]);
  rows.sort(([one], [other]) => {
    if (one === null || other === null) return (one === null) - (other === null);
    return rising ? compareKeys(one, other) : compareKeys(other, one);
  });
  body.append(...rows.map(([, row]) => row));
}

for (const head of document.querySelectorAll("table.sortable thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.append(...head.childNodes);
  head.append(button);
}

// Two structures beside each other, stage by stage: what differs is marked.
const difference = document.getElementById("difference");

function showDifference() {
  const [from, to] = [...difference.querySelectorAll("select")].map((select) =>
    document.querySelector(`[data-stages="${select.value}"]`));
  const table = from.cloneNode(true);
  table.removeAttribute("data-stages");
  [...table.rows].forEach((row, i) => [...row.cells].forEach((cell, j) => {
    const [before, after] = [from, to].map((one) => one.rows[i].cells[j].textContent.trim());
    if (before === after) return;
    const marks = ["del", "ins"].map((name) => document.createElement(name));
    marks[0].textContent = before;
    marks[1].textContent = after;
    cell.replaceChildren(marks[0], " \u2192 ", marks[1]);
  }));
  difference.querySelector("div").replaceChildren(table);
}

function offerDifferences() {
  const tables = [...document.querySelectorAll("[data-stages]")];
  if (tables.length < 2) return;
  difference.hidden = false;
  difference.querySelectorAll("select").forEach((select, which) => {
    for (const table of tables) {
      const section = table.closest("section").querySelector("h1").textContent;
      const name = document.getElementById(table.dataset.stages).closest("details").querySelector("summary").textContent;
      select.append(new Option(`${section}: ${name}`, table.dataset.stages));
    }
    // The best of two runs, or the first two of one.
    const other = tables.findIndex((table) => table.closest("section") !== tables[0].closest("section"));
    select.selectedIndex = which && Math.max(other, 1);
    select.addEventListener("change", showDifference);
  });
  showDifference();
}

offerDifferences();

for (const [shown, hidden] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
  document.addEventListener(shown, (event) => {
    const point = event.target.closest?.("[data-tip]");
    if (point) show(point.dataset.tip, point.getBoundingClientRect());
  });
  document.addEventListener(hidden, (event) => {
    if (event.target.closest?.("[data-tip]")) hide();
  });
}
document.addEventListener("click", (event) => {
  const element = event.target.closest?.("[data-copy], [data-download], [data-csv], button.sort");
  if (!element) return;
  const { copy, download: source, name, csv } = element.dataset;
  if (copy) copyFrom(element);
  else if (source) download(document.getElementById(source).textContent, `${name}.txt`, "text/plain");
  else if (csv) {
    const after = element.closest("details") ?? element.parentElement.nextElementSibling;
    download(csvOf(after.querySelector("table")), `${csv}.csv`, "text/csv");
  } else sortBy(element);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
  const point = event.target.closest?.("svg [data-copy]");
  if (point && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    copyFrom(point);
  }
});
