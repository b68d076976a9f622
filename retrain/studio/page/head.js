// Above the photos: what is looked at, and what can be done with it and with those that are chosen.

import { move, remove, removeClass, renameClass } from "./actions.js";
import { chooseFiles, chooseFolder } from "./choosing.js";
import { confirmed, ask } from "./dialogs.js";
import { element, make, redraw } from "./dom.js";
import { enlarge } from "./enlarge.js";
import { icon } from "./icons.js";
import { collectByPhone } from "./phone.js";
import { say } from "./say.js";
import { store } from "./store.js";
import { openWebcam } from "./webcam.js";
import { isolated, shown } from "/shared/words.js";

const title = make("div", { class: "title" });
const tools = make("div", { class: "tools" });

export function beginHead() {
  element("head").append(title, tools);
}

/** @param {import("./selection.js").Selection} selection @param {() => void} changed told once nothing is chosen any more */
export function showHead(selection, changed) {
  const { view, state } = store;
  if (state === null) return;
  const count = view.kind === "doctor" ? (state.doctor?.number ?? 0) : store.shown.length;
  const label = view.kind === "class" ? view.label : null;
  redraw(title, [view, count], () => [
    make("h2", { id: "heading", tabindex: "-1" }, heading()),
    label === null ? null : small("pen", "rename", () => void rename(label)),
    label === null ? null : small("bin", "removeClass", () => void removeWhole(label)),
    make("span", { class: "quiet" }, counted(count)),
  ]);
  const chosen = selection.chosen.size;
  if (chosen) tools.setAttribute("role", "toolbar");
  else tools.removeAttribute("role");
  if (chosen) tools.setAttribute("aria-label", say("chosenTools"));
  else tools.removeAttribute("aria-label");
  tools.classList.toggle("chosen", chosen > 0);
  redraw(tools, [view, chosen, store.classes], () => (chosen ? forChosen(selection, changed) : ways()));
}

function heading() {
  const { kind, label } = store.view;
  if (kind === "class") return make("bdi", {}, shown(label ?? ""));
  return say({ all: "allPhotos", unlabelled: "unlabelled", doctor: "doctor", mistakes: "mistakes" }[kind]);
}

/** @param {number} count */
function counted(count) {
  if (store.view.kind === "doctor") return store.state?.doctor ? say("findings", { count }) : "";
  return say("photos", { count });
}

function ways() {
  if (store.view.kind === "doctor" || store.view.kind === "mistakes") return [];
  return [
    way("camera", "webcam", "webcam", openWebcam),
    way("add", "shortPhotos", "addPhotos", chooseFiles),
    way("folder", "shortFolder", "addFolder", chooseFolder),
    way("phone", "shortPhone", "fromPhone", () => void collectByPhone()),
  ];
}

/** @param {Parameters<typeof icon>[0]} drawn @param {string} short @param {string} key @param {() => void} act */
function way(drawn, short, key, act) {
  return make(
    "button",
    { type: "button", class: "way", "data-key": key, title: say(key), onclick: act },
    icon(drawn),
    make("span", {}, say(short)),
  );
}

/** @param {Parameters<typeof icon>[0]} drawn @param {string} key @param {() => void} act */
function small(drawn, key, act) {
  return make(
    "button",
    { type: "button", class: "bare", "data-key": key, title: say(key), "aria-label": say(key), onclick: act },
    icon(drawn),
  );
}

/** @param {string} label */
export async function rename(label) {
  const to = (
    await ask({
      title: say("renameTitle", { label: isolated(label) }),
      field: say("className"),
      value: label,
      go: say("rename"),
    })
  )?.trim();
  if (!to || to === label) return;
  const there = store.state?.classes.find(({ name }) => name === to);
  const values = { label: isolated(label), to: isolated(to), count: there?.photos ?? 0 };
  if (
    there &&
    !(await confirmed({ title: say("mergeTitle", values), text: say("mergeText", values), go: say("merge") }))
  )
    return;
  await renameClass(label, to);
  element("heading").focus();
}

/** @param {string} label */
async function removeWhole(label) {
  const count = store.state?.classes.find(({ name }) => name === label)?.photos ?? 0;
  const values = { label: isolated(label), count };
  if (
    count &&
    !(await confirmed({ title: say("removeTitle", values), text: say("removeText", values), go: say("remove") }))
  )
    return;
  await removeClass(label);
  element("middle").focus();
}

/**
 * What can be done with the chosen photos.
 * @param {import("./selection.js").Selection} selection @param {() => void} changed
 */
function forChosen(selection, changed) {
  const moved = (/** @type {Event} */ event) => {
    const { value } = /** @type {HTMLSelectElement} */ (event.target);
    if (value) void move(selection.meant, value === "." ? null : value.slice(1));
  };
  const none = () => {
    selection.none();
    changed();
    element("grid").focus({ preventScroll: true });
  };
  return [
    make("b", {}, say("chosen", { count: selection.chosen.size })),
    make(
      "select",
      { "aria-label": say("moveTo"), "data-key": "move", onchange: moved },
      make("option", { value: "" }, say("moveTo")),
      ...store.classes
        .filter((name) => name !== store.target)
        .map((name) => make("option", { value: `/${name}`, "data-data": true }, shown(name))),
      store.view.kind === "unlabelled" ? null : make("option", { value: "." }, say("unlabelled")),
    ),
    selection.chosen.size === 1 ? small("try", "enlarge", () => enlarge(selection.meant[0] ?? "", selection)) : null,
    make(
      "button",
      { type: "button", "data-key": "remove", onclick: () => void remove(selection.meant) },
      icon("bin"),
      make("span", { class: "text" }, say("remove")),
    ),
    make(
      "button",
      { type: "button", class: "bare", "data-key": "none", "aria-label": say("chooseNone"), onclick: none },
      icon("close"),
    ),
  ];
}
