
// --- explore -----------------------------------------------------------------------------------------------------------
// The address is the state of the page: controls are read into it, it is sent to the server, and what comes back is put into
// its place. A newer address ends the answer to an older one, here and there.
const form = document.getElementById("settings");
const place = (id) => document.getElementById(id);
const tab = crypto.randomUUID();
const ALL = ["answer", "moved", "pins", "stages", "front"];
let going = new AbortController();
let shown = ""; // the settings of the design on the page, once that is the end

// --- numbers as people write them ----------------------------------------------------------------------------------------

const SUFFIXES = [["T", 1e12], ["G", 1e9], ["M", 1e6], ["K", 1e3]];

function written(value, slider) {
  if (slider.counted && !slider.log) return String(Math.round(value));
  const short = Number(value.toPrecision(3));
  if (slider.name === "latency") return `${Number((1000 * short).toPrecision(3))}ms`;
  if (!slider.counted) return String(short);
  const [suffix, unit] = SUFFIXES.find((one) => short >= one[1]) ?? ["", 1];
  return `${Number((short / unit).toPrecision(3))}${suffix}`;
}

function sliderOf(box) {
  const range = box.querySelector("[type=range]");
  const { low, high, log, counted } = range.dataset;
  return { range, name: box.dataset.name, low: Number(low), high: Number(high), log: log === "true", counted: counted === "1" };
}

function valueAt(slider) {
  const share = Number(slider.range.value) / 1000;
  return slider.log ? slider.low * (slider.high / slider.low) ** share : slider.low + share * (slider.high - slider.low);
}

function moveTo(slider, value) {
  const share = slider.log ? Math.log(value / slider.low) / Math.log(slider.high / slider.low)
    : (value - slider.low) / (slider.high - slider.low);
  slider.range.value = String(Math.round(1000 * Math.min(1, Math.max(0, share))));
}

// --- controls and address ------------------------------------------------------------------------------------------------

const budgets = [...form.querySelectorAll(".slider[data-key]")];
const weights = [1, 2, 3, 4, 5].map((i) => place(`alpha-${i}`));
const plain = [...form.querySelectorAll("input[data-key], select[data-key]")];
const address = () => new URLSearchParams(location.search);

function fill(query) {
  const values = new URLSearchParams(query);
  for (const box of budgets) {
    const { key } = box.dataset;
    const text = values.get(key);
    place(`${key}-on`).checked = Boolean(text);
    box.classList.toggle("off", !text);
    if (text) place(key).value = text;
  }
  for (const field of plain) {
    const text = values.get(field.dataset.key) ?? field.dataset.default;
    if (field.tagName === "SELECT" && ![...field.options].some((one) => one.value === text)) field.add(new Option(text, text));
    field.value = text;
  }
  const alpha = (values.get("alpha") ?? place("alpha").dataset.default).split(",");
  weights.forEach((field, i) => {
    field.value = alpha[i] ?? "";
    place(`${field.id}-slider`).value = field.value;
  });
}

function asked() {
  const values = new URLSearchParams();
  for (const { dataset: { key } } of budgets) {
    if (place(`${key}-on`).checked && place(key).value.trim()) values.set(key, place(key).value.trim());
  }
  for (const field of plain) {
    if (field.value.trim() && field.value.trim() !== field.dataset.default) values.set(field.dataset.key, field.value.trim());
  }
  const alpha = weights.map((field) => field.value).join(",");
  if (alpha !== place("alpha").dataset.default) values.set("alpha", alpha);
  return values;
}

function settings(of = address()) {
  const values = new URLSearchParams(of);
  values.delete("pin");
  values.delete("since");
  return values.toString();
}

function go(values, pins = address().getAll("pin")) {
  const next = new URLSearchParams(settings(values));
  const since = next.toString() === settings() ? address().get("since") : shown;
  if (since && since !== next.toString()) next.set("since", since);
  for (const pin of pins) next.append("pin", pin);
  history.replaceState(null, "", `?${next}`);
  ask();
}

// A held key asks thirty times a second, and browsers let an address change twenty times: the first change goes at once, the
// last one in any case.
const APART = 80;
let went = 0;
let waiting = 0;

function goSoon() {
  clearTimeout(waiting);
  document.body.dataset.busy = "1";
  waiting = setTimeout(() => {
    went = performance.now();
    go(asked());
  }, Math.max(0, went + APART - performance.now()));
}

// --- asking ------------------------------------------------------------------------------------------------------------

async function ask() {
  going.abort();
  going = new AbortController();
  const { signal } = going;
  const query = address().toString();
  place("status").textContent = "searching \u2026";
  ALL.forEach((id) => place(id).classList.add("stale"));
  for (const link of document.querySelectorAll("a[data-file]")) link.href = `${link.dataset.file}?${settings()}`;
  document.body.dataset.busy = "1";
  try {
    const answer = await fetch(`answers?tab=${tab}`, { method: "POST", body: query, signal });
    let ended = false;
    for await (const event of lines(answer.body.pipeThrough(new TextDecoderStream()).getReader())) {
      if (signal.aborted) return;
      heed(event);
      ended ||= event.done || event.fault !== undefined;
    }
    if (!ended) tell("the server failed: its terminal says why");
    delete document.body.dataset.busy;
  } catch (error) {
    if (signal.aborted) return;
    delete document.body.dataset.busy;
    tell(`the server does not answer (${error.message}): is lightnas explore still running?`);
  }
}

async function* lines(reader) {
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const whole = (text + part.value).split("\n");
    text = whole.pop();
    for (const line of whole) yield JSON.parse(line);
  }
}

function heed(event) {
  if (event.fault !== undefined) tell(event.fault);
  if (event.ranges) setRanges(event.ranges);
  if (event.limits) setLimits(event.limits);
  for (const [id, html] of Object.entries(event.parts ?? {})) {
    place(id).innerHTML = html;
    place(id).classList.remove("stale");
  }
  if (event.said !== undefined) place("status").textContent = event.said;
  if (event.parts?.answer) place("fault").hidden = true;
  if (event.end) shown = settings();
}

function tell(line) {
  place("fault").textContent = line;
  place("fault").hidden = false;
  place("status").textContent = "";
}

function setRanges(ranges) {
  for (const box of budgets) {
    // Seconds of a table that does not know the space or the size: the search says so.
    const range = ranges[box.dataset.name] ?? { low: 0.001, high: 1, log: true };
    Object.assign(box.querySelector("[type=range]").dataset, range);
  }
}

function setLimits(limits) {
  for (const box of budgets) {
    const slider = sliderOf(box);
    if (slider.range === document.activeElement || !slider.high) continue;
    if (limits[slider.name]) moveTo(slider, limits[slider.name]);
    describe(box);
  }
}

function describe(box) {
  box.querySelector("[type=range]").setAttribute("aria-valuetext", place(box.dataset.key).value || "no limit");
}

// --- what people do ------------------------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", ({ target }) => {
  const box = target.closest(".slider");
  if (!box || target.type !== "range") return;
  if (box.dataset.key) {
    const slider = sliderOf(box);
    if (!slider.high) return;
    place(box.dataset.key).value = written(valueAt(slider), slider);
    place(`${box.dataset.key}-on`).checked = true;
    box.classList.remove("off");
    describe(box);
  } else {
    box.querySelector("[type=number]").value = target.value;
  }
});
form.addEventListener("change", ({ target }) => {
  const box = target.closest(".slider");
  if (target.id === "preset") {
    if (!target.value) return;
    fill(target.value);
    target.value = "";
  } else if (box?.dataset.key) {
    const on = place(`${box.dataset.key}-on`);
    if (target !== on) on.checked = Boolean(place(box.dataset.key).value.trim());
    else if (on.checked && !place(box.dataset.key).value.trim() && sliderOf(box).high) {
      place(box.dataset.key).value = written(valueAt(sliderOf(box)), sliderOf(box));
    }
    box.classList.toggle("off", !on.checked);
  } else if (box && target.type === "number") {
    place(`${target.id}-slider`).value = target.value;
  }
  goSoon();
});
document.addEventListener("click", ({ target }) => {
  const pins = address().getAll("pin");
  if (target.id === "pin" && !pins.includes(settings())) go(address(), [...pins, settings()]);
  if (target.dataset?.unpin !== undefined) go(address(), pins.filter((pin) => settings(pin) !== settings(target.dataset.unpin)));
  if (target.dataset?.show !== undefined) {
    fill(target.dataset.show);
    go(asked());
  }
});

async function copy(button, text, what) {
  const box = button.getBoundingClientRect();
  try {
    await copyText(text);
    show(`Copied ${what}`, box);
  } catch {
    show("The browser refused to copy", box);
  }
  hiding = setTimeout(hide, 2000);
}

place("copy-command").addEventListener("click", ({ target }) => copy(target, place("command")?.textContent ?? "", "the command"));
place("copy-txt").addEventListener("click", ({ target }) => copy(target, place("txt")?.textContent ?? "", "the structure txt"));
place("copy-link").addEventListener("click", ({ target }) => copy(target, location.href, "the address"));
addEventListener("popstate", () => {
  fill(location.search);
  ask();
});

if (!location.search) history.replaceState(null, "", `?${new URLSearchParams(document.body.dataset.first)}`);
fill(location.search);
ask();
