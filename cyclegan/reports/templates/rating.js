"use strict";
const sheet = document.getElementById("sheet");
const trials = document.querySelectorAll(".trial");
const choices = document.querySelectorAll("#choices button");
const note = document.getElementById("note");
const stored = "cyclegan ratings " + sheet.dataset.sheet;
const id = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const fresh = () => ({ rater: id(), answers: Array(trials.length).fill(null) });
const load = () => {
  try {
    const found = JSON.parse(localStorage.getItem(stored));
    return found?.answers.length === trials.length ? found : fresh();
  } catch {
    return fresh();
  }
};
let state = load();
let position = state.answers.indexOf(null);
if (position < 0) position = trials.length;

const keep = () => {
  try {
    localStorage.setItem(stored, JSON.stringify(state));
  } catch {
    note.textContent = "This browser does not keep answers: save them before you close the page.";
  }
};
const show = () => {
  const atEnd = position === trials.length;
  const answered = state.answers.filter(Boolean).length;
  trials.forEach((trial, index) => { trial.hidden = index !== position; });
  for (const button of choices) button.setAttribute("aria-pressed", button.value === state.answers[position]);
  document.getElementById("choices").hidden = atEnd;
  document.getElementById("end").hidden = !atEnd;
  document.getElementById("again").hidden = !atEnd;
  document.getElementById("back").disabled = position === 0;
  document.getElementById("done").value = answered;
  document.getElementById("position").textContent = atEnd ? "" : `${position + 1} of ${trials.length}`;
};
const choose = (answer) => {
  if (position === trials.length) return;
  state.answers[position] = answer;
  position += 1;
  keep();
  show();
};
const back = () => {
  position = Math.max(position - 1, 0);
  show();
};
const save = () => {
  const { sheet: name, key } = sheet.dataset;
  const saved = { kind: "cyclegan ratings", format: 1, sheet: name, key, ...state };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(saved)], { type: "application/json" }));
  link.download = `answers-${name.slice(0, 6)}-${state.rater.slice(0, 6)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // not before the browser has read it
};
const again = () => {
  if (!confirm("Are the answers saved? The next person begins without them.")) return;
  state = fresh();
  position = 0;
  keep();
  show();
};

const actions = {
  ArrowLeft: () => choose("left"), ArrowRight: () => choose("right"), ArrowDown: () => choose("none"), ArrowUp: back,
};
document.addEventListener("keydown", (event) => {
  // A key that is held down answers once; with Alt or Ctrl it belongs to the browser.
  if (event.repeat || event.altKey || event.ctrlKey || event.metaKey || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});
for (const button of choices) button.addEventListener("click", () => choose(button.value));
document.getElementById("back").addEventListener("click", back);
document.getElementById("save").addEventListener("click", save);
document.getElementById("again").addEventListener("click", again);
show();
