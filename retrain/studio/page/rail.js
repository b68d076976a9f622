// The classes, each with its photos' count and its key; they take photos that are dropped on them.

import { makeClass, move } from "./actions.js";
import { ask } from "./dialogs.js";
import { thumbnail } from "./api.js";
import { element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { dropped } from "./incoming.js";
import { draggedPhotos } from "./middle.js";
import { number, say } from "./say.js";
import { store } from "./store.js";
import { upload } from "./uploads.js";
import { shown } from "/shared/words.js";

/** @typedef {import("../../../web/studio.js").View} View */

const BESIDE = 40; // pixels of what is next to the current one
const KEYS = 9; // classes that have a digit

export function beginRail() {
  element("rail").setAttribute("aria-label", say("classes"));
  for (const what of /** @type {const} */ (["state", "photos", "view"])) store.on(what, draw);
  store.on("view", reveal);
}

/** What is looked at is seen among the classes, where they are a row that scrolls. */
function reveal() {
  const rail = element("rail");
  const current = rail.querySelector("[aria-current]")?.getBoundingClientRect();
  if (!current) return;
  const { left, right } = rail.getBoundingClientRect();
  if (current.left < left) rail.scrollLeft -= left - current.left + BESIDE;
  else if (current.right > right) rail.scrollLeft += current.right - right + BESIDE;
}

function draw() {
  const { state, view, photos } = store;
  if (state === null) return;
  const { isNew } = store;
  element("rail").hidden = isNew;
  document.body.classList.toggle("new", isNew);
  if (isNew) return;
  /** @type {Map<string, string>} */
  const covers = new Map();
  for (const photo of photos)
    if (photo.label !== null && !covers.has(photo.label)) covers.set(photo.label, thumbnail(photo.id, photo.mtime));
  const total = state.unlabelled + state.classes.reduce((sum, each) => sum + each.photos, 0);
  redraw(element("rail"), [state.classes, state.unlabelled, view, [...covers], state.doctor, total], () => [
    make(
      "ul",
      {},
      item({ kind: "all", label: null }, say("allPhotos"), total, icon("photos")),
      state.unlabelled || view.kind === "unlabelled"
        ? item({ kind: "unlabelled", label: null }, say("unlabelled"), state.unlabelled, icon("pen"))
        : null,
    ),
    make("h2", { id: "classes-heading" }, say("classes")),
    make(
      "ul",
      { "aria-labelledby": "classes-heading" },
      ...state.classes.map(({ name, photos: count }, place) => classItem(name, count, place, covers.get(name))),
    ),
    make(
      "button",
      { type: "button", class: "new-class", "data-key": "new-class", onclick: () => void newClass() },
      icon("add"),
      say("newClass"),
    ),
    make(
      "ul",
      { class: "checks" },
      item({ kind: "doctor", label: null }, say("check"), state.doctor?.number ?? null, icon("doctor")),
    ),
    make("p", { class: "keys quiet small" }, say("keys")),
  ]);
}

/** @param {View} of @param {Node | string} name @param {number | null} count @param {Node | null} before @param {string} key */
function item(of, name, count, before, key = "") {
  const isCurrent = store.view.kind === of.kind && store.view.label === of.label;
  const button = make(
    "button",
    {
      type: "button",
      class: "item",
      "data-key": `${of.kind}/${of.label ?? ""}`,
      "aria-current": isCurrent ? "true" : null,
      onclick: () => store.look(of),
    },
    before,
    make("span", { class: "name" }, name),
    key ? make("kbd", { "aria-hidden": "true" }, key) : null,
    count === null ? null : make("span", { class: "count" }, number(count)),
  );
  return make("li", {}, button);
}

/** @param {string} name @param {number} count @param {number} place @param {string | undefined} cover */
function classItem(name, count, place, cover) {
  const picture = cover
    ? make("img", { src: cover, alt: "", class: "cover", draggable: "false" })
    : make("span", { class: "cover" });
  const made = item(
    { kind: "class", label: name },
    make("bdi", {}, shown(name)),
    count,
    picture,
    place < KEYS ? String(place + 1) : "",
  );
  made.addEventListener("dragover", (event) => {
    event.preventDefault();
    made.classList.add("over");
  });
  made.addEventListener("dragleave", () => made.classList.remove("over"));
  made.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    made.classList.remove("over");
    document.body.classList.remove("dragging");
    const photos = draggedPhotos(event.dataTransfer);
    if (photos !== null) void move(photos, name);
    else if (event.dataTransfer) void dropped(event.dataTransfer, name).then(upload);
  });
  return made;
}

async function newClass() {
  const name = (await ask({ title: say("newClassTitle"), field: say("className"), go: say("make") }))?.trim();
  if (name && (await makeClass(name))) store.look({ kind: "class", label: name });
}
