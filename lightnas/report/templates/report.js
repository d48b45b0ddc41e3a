"use strict";
// A point's text on hover and focus; a click, Enter or Space on what has data-copy copies the text of that element.
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
  const text = document.getElementById(element.dataset.copy).textContent;
  const box = element.getBoundingClientRect();
  try {
    await copyText(text);
    show("Copied the structure txt", box);
  } catch {
    show("The browser refused to copy: open \u201cStructure txt\u201d below", box);
  }
  hiding = setTimeout(hide, 2000);
}

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
  const element = event.target.closest?.("[data-copy]");
  if (element) copyFrom(element);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
  const point = event.target.closest?.("svg [data-copy]");
  if (point && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    copyFrom(point);
  }
});
