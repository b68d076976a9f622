"use strict";
// Rows are those of fixes.csv: file, class, action, suggestion, reason.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const earlier = new Map(read("earlier").map((row) => [row[0], row]));
const words = read("words"); // in the language of the page
const unseen = read("unseen"); // of findings that are not shown, by kind: file, class, suggestion, reason
const cards = [...document.querySelectorAll("main .finding")];
const dialog = document.querySelector("dialog");
const bar = document.getElementById("save");
const past = []; // the decisions before each change
let decided = new Map(earlier);
let saved = decided;

// Findings: file, class, suggestion, reason.
const findingsOf = (cards) => cards.map(({ dataset: of }) => [of.file, of.class, of.suggestion, of.reason]);
const found = new Map(); // those of each photo, under all headings
for (const finding of [...findingsOf(cards), ...Object.values(unseen).flat()])
  found.set(finding[0], [...(found.get(finding[0]) ?? []), finding]);

const actionOn = (file) => decided.get(file)?.[2] ?? "keep";
const suggestedIn = (section) => [
  ...findingsOf([...section.querySelectorAll("[data-file]")]).filter((row) => row[2] !== "keep"),
  ...(unseen[section.id] ?? []),
];
// A photo has one decision: to accept all of a heading does not overrule what was decided under another one.
function isOpen([file, , suggestion, reason]) {
  const [, , action, , why] = decided.get(file) ?? [];
  return !action || (action !== suggestion && (found.get(file).length === 1 || why === reason));
}

// The row of a decision has the suggestion and the reason of the finding that suggests it: of the card, if that does.
function rowOf(file, label, action, suggestion, reason) {
  if (earlier.get(file)?.[2] === action) return earlier.get(file);
  const other = suggestion === action ? undefined : found.get(file).find((row) => row[2] === action);
  return other ? [file, label, action, other[2], other[3]] : [file, label, action, suggestion, reason];
}

function decide(rows) {
  const next = new Map(decided);
  for (const row of rows) {
    if (row[2] === "keep") next.delete(row[0]);
    else next.set(row[0], rowOf(...row));
  }
  past.push(decided);
  decided = next;
  show();
}

function choose(card, action) {
  const { file, class: label, suggestion, reason } = card.dataset;
  if (file !== undefined && action !== actionOn(file)) decide([[file, label, action, suggestion, reason]]);
}

function accept(card) {
  if (card.dataset.suggestion !== "keep") choose(card, card.dataset.suggestion);
}

function undo() {
  if (past.length) decided = past.pop();
  show();
}

function show() {
  for (const card of document.querySelectorAll("[data-file]")) {
    const action = actionOn(card.dataset.file);
    card.classList.toggle("decided", action !== "keep");
    for (const button of card.querySelectorAll("[data-action]"))
      button.setAttribute("aria-pressed", button.dataset.action === action);
  }
  for (const button of document.querySelectorAll("[data-all]"))
    button.disabled = !suggestedIn(button.closest("section")).some(isOpen);
  bar.hidden = !decided.size && !earlier.size && !past.length;
  document.getElementById("decided").textContent = decided.size === 1 ? words.one : words.many.replace("{count}", decided.size);
  document.getElementById("undo").disabled = !past.length;
}

function enlarge(card) {
  const copy = card.cloneNode(true);
  copy.tabIndex = -1;
  dialog.replaceChildren(copy);
  if (!dialog.open) dialog.showModal();
  copy.focus(); // not one of its buttons, which would take Enter for a click
  dialog.of = card;
  show();
}

// The card that an arrow key leads to: the next one, or the nearest one in the row above or below.
function beside(card, key) {
  const place = cards.indexOf(card);
  if (key === "ArrowRight") return cards[place + 1];
  if (key === "ArrowLeft") return cards[place - 1];
  const from = card.getBoundingClientRect();
  const down = key === "ArrowDown";
  const others = (down ? cards.slice(place + 1) : cards.slice(0, place).reverse())
    .map((other) => [other, other.getBoundingClientRect()])
    .filter(([, box]) => (down ? box.top > from.top + 1 : box.top < from.top - 1));
  const row = others.filter(([, box]) => Math.abs(box.top - others[0][1].top) <= 1);
  return row.sort(([, one], [, two]) => Math.abs(one.left - from.left) - Math.abs(two.left - from.left))[0]?.[0];
}

function go(card) {
  if (!card) return;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest", behavior: "instant" });
  if (dialog.open) enlarge(card);
}

document.addEventListener("click", (event) => {
  const { target } = event;
  const card = target.closest("[data-file]");
  const button = target.closest("button");
  if (button?.dataset.action) choose(card, button.dataset.action);
  else if (button?.dataset.all) decide(suggestedIn(button.closest("section")).filter(isOpen).map(([f, c, s, r]) => [f, c, s, s, r]));
  else if (button?.id === "undo") undo();
  else if (button?.id === "write") save();
  else if (target === dialog || (button && dialog.contains(button))) dialog.close();
  else if (button?.className === "enlarge") enlarge(button.closest(".finding"));
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const { key, target } = event;
  const card = dialog.open ? dialog.of : target.closest?.("main .finding");
  const first = target === document.body && cards.find((one) => one.getBoundingClientRect().bottom > 0);
  const onButton = target.closest?.("button, a");
  if (key.startsWith("Arrow") && (card || first)) go(card ? beside(card, key) : first);
  else if (key.toLowerCase() === "z") undo();
  else if (key === "Escape" && dialog.open) dialog.close();
  else if (key === "Escape" && card) onButton ? card.focus() : choose(card, "keep");
  else if (key === "Enter" && card && !onButton) accept(card);
  else if (key === "Delete" && card) choose(card, "remove");
  else if (key === " " && card && !onButton) dialog.open ? dialog.close() : enlarge(card);
  else return;
  event.preventDefault();
});

dialog.addEventListener("close", () => {
  dialog.replaceChildren();
  dialog.of.focus();
});

const quoted = (cell) => '"' + cell.replaceAll('"', '""') + '"';
function save() {
  const rows = [["file", "class", "action", "suggestion", "reason"], ...decided.values()];
  const text = "\ufeff" + rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "fixes.csv";
  link.click();
  URL.revokeObjectURL(link.href);
  saved = decided;
  const told = document.getElementById("saved");
  const command = told.querySelector("code");
  told.replaceChildren(`${words.saved} `, command);
}

window.addEventListener("beforeunload", (event) => {
  if (decided !== saved) event.preventDefault();
});

show();
