// The middle of the page: the photos that are looked at, or what the doctor found, or what is to be done first.

import { acceptGuesses, move } from "./actions.js";
import { showDoctor } from "./doctor.js";
import { element, make, redraw } from "./dom.js";
import { noClasses, noPhotos } from "./empty.js";
import { enlarge } from "./enlarge.js";
import { Grid } from "./grid.js";
import { beginHead, showHead } from "./head.js";
import { percent, say } from "./say.js";
import { Selection } from "./selection.js";
import { store } from "./store.js";

export const selection = new Selection();

const guessBar = make("div", { id: "guesses", class: "guess-bar" });
const empty = make("div", { id: "empty" });
const doctor = make("div", { id: "doctor" });
const list = make("div", { id: "grid", class: "grid", role: "listbox", tabindex: "0", "aria-multiselectable": "true" });
const DRAGGED = "application/x-studio-photos";

/** @type {Grid} */
let grid;
let above = 0.9; // guesses from this probability on are accepted together

export function beginMiddle() {
  beginHead();
  element("view").append(guessBar, list, empty, doctor);
  grid = new Grid(list, element("middle"), selection);
  grid.covered = () => element("head").offsetHeight;
  grid.guessOf = (photo) => guessById.get(photo.id);
  list.addEventListener("click", pressed);
  list.addEventListener("dblclick", ({ target }) => {
    const id = idOf(target);
    if (id) enlarge(id, selection);
  });
  list.addEventListener("keydown", keyed);
  list.addEventListener("focus", () => {
    if (selection.at === null) selection.step(0, false);
    show();
  });
  list.addEventListener("dragstart", dragged);
  store.on("view", () => {
    selection.none();
    element("middle").scrollTop = 0;
  });
  for (const what of /** @type {const} */ (["state", "photos", "view", "guesses"])) store.on(what, draw);
}

/** @type {Map<string, import("../../../web/studio.js").Guess>} */
let guessById = new Map();

function draw() {
  const { state, view } = store;
  if (state === null) return;
  const had = element("middle").contains(document.activeElement);
  guessById = new Map(store.guesses.map((guess) => [guess.id, guess]));
  const photos = view.kind === "doctor" ? [] : store.shown;
  const { isNew } = store;
  element("head").hidden = isNew;
  doctor.hidden = view.kind !== "doctor";
  if (view.kind === "doctor") showDoctor(doctor);
  list.hidden = photos.length === 0;
  list.setAttribute("aria-label", say("gridLabel"));
  empty.hidden = photos.length > 0 || view.kind === "doctor" || !(isNew || store.isListed);
  if (!empty.hidden) {
    if (isNew) noClasses(empty);
    else noPhotos(empty);
  }
  drawGuesses();
  const isGuessed = view.kind === "unlabelled" && store.guesses.length > 0;
  grid.show(photos, isGuessed ? "guess" : view.kind === "all" || view.kind === "mistakes" ? "class" : "none");
  show();
  if (had && !isFocusSeen()) element(isNew ? "middle" : "heading").focus({ preventScroll: true });
}

/** Whether what has the focus is still there to be seen. */
function isFocusSeen() {
  const { activeElement: at } = document;
  return at !== null && at !== document.body && at.getClientRects().length > 0;
}

/** What is chosen has changed. */
export function show() {
  grid.mark();
  showHead(selection, show);
}

function drawGuesses() {
  const { view, state, leaving, byId } = store;
  const guesses = store.guesses.filter(({ id }) => byId.has(id) && !leaving.has(id));
  guessBar.hidden = view.kind !== "unlabelled" || (state?.unlabelled ?? 0) === 0;
  const sure = guesses.filter((guess) => !guess.isUnknown && guess.probability >= above).length;
  redraw(guessBar, [guesses.length > 0, sure, above, state?.unlabelled], () => {
    if (guesses.length === 0) return [make("p", { class: "quiet" }, say("noGuesses"))];
    const steps = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99].map((share) =>
      make("option", { value: share, selected: share === above }, percent(share)),
    );
    const changed = (/** @type {Event} */ event) => {
      above = Number(/** @type {HTMLSelectElement} */ (event.target).value);
      drawGuesses();
    };
    return [
      make("p", { class: "quiet" }, say("guessesHelp")),
      make(
        "p",
        { class: "accept" },
        make("label", { for: "above" }, say("acceptAbove")),
        make("select", { id: "above", onchange: changed }, ...steps),
        make(
          "button",
          { type: "button", "data-key": "accept", disabled: sure === 0, onclick: () => void acceptGuesses(above) },
          say("acceptAll", { count: sure }),
        ),
      ),
    ];
  });
}

/** @param {EventTarget | null} target */
function idOf(target) {
  return target instanceof Element
    ? /** @type {HTMLElement | null} */ (target.closest(".tile"))?.dataset["id"]
    : undefined;
}

/** @param {MouseEvent} event */
function pressed(event) {
  const id = idOf(event.target);
  if (id === undefined) return;
  const onTick = event.target instanceof Element && event.target.closest(".tick") !== null;
  if (event.shiftKey) selection.until(id);
  else if (event.ctrlKey || event.metaKey || onTick || isTouched(event)) selection.toggle(id);
  else if (selection.chosen.size === 1 && selection.chosen.has(id) && event.detail === 1) selection.none();
  else selection.only(id);
  show();
}

/** Whether it was a finger, which has neither shift nor ctrl: then each touch adds one. @param {MouseEvent} event */
function isTouched(event) {
  return /** @type {PointerEvent} */ (event).pointerType === "touch";
}

/** @param {KeyboardEvent} event */
function keyed(event) {
  const isCommand = event.ctrlKey || event.metaKey;
  const page = Math.max(1, Math.floor(element("middle").clientHeight / grid.pitch) - 1) * grid.columns;
  /** @type {Record<string, number>} */
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -grid.columns,
    ArrowDown: grid.columns,
    PageUp: -page,
    PageDown: page,
    Home: -store.photos.length,
    End: store.photos.length,
  };
  const step = steps[event.key];
  if (step !== undefined && !event.altKey) {
    selection.step(step, event.shiftKey);
    grid.reveal();
  } else if (event.repeat && [" ", "Enter"].includes(event.key)) event.preventDefault(); // held down: it was meant once
  else if (event.key === " " && selection.at !== null) selection.toggle(selection.at);
  else if (isCommand && event.key.toLowerCase() === "a") selection.all();
  else if (event.key === "Escape") selection.none();
  else if (event.key === "Enter") entered(event.shiftKey);
  else return;
  event.preventDefault();
  show();
}

/** Accept the guess where there is one and go on, else look at the photo. @param {boolean} isShift */
function entered(isShift) {
  const guessed = selection.meant.filter((id) => guessById.has(id));
  if (store.view.kind === "unlabelled" && guessed.length && !isShift) {
    /** @type {Map<string, string[]>} */
    const byLabel = new Map();
    for (const id of guessed) {
      const label = guessById.get(id)?.label ?? "";
      byLabel.set(label, [...(byLabel.get(label) ?? []), id]);
    }
    for (const [label, ids] of byLabel) void move(ids, label);
    grid.reveal();
  } else if (selection.at !== null) enlarge(selection.at, selection);
}

/** @param {DragEvent} event */
function dragged(event) {
  const id = idOf(event.target);
  if (id === undefined || event.dataTransfer === null) return;
  if (!selection.chosen.has(id)) selection.only(id);
  show();
  event.dataTransfer.setData(DRAGGED, JSON.stringify(selection.meant));
  event.dataTransfer.effectAllowed = "move";
}

/** The photos that are dragged, where some are. @param {DataTransfer | null} data @returns {string[] | null} */
export function draggedPhotos(data) {
  return data?.types.includes(DRAGGED) ? JSON.parse(data.getData(DRAGGED) || "[]") : null;
}
