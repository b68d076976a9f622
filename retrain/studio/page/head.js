// Above the photos: what is looked at, and what can be done with it and with those that are chosen.

import { move, remove, removeClass, renameClass } from "./actions.js";
import { chooseFiles, chooseFolder } from "./choosing.js";
import { confirmed, ask } from "./dialogs.js";
import { element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { collectByPhone } from "./phone.js";
import { say } from "./say.js";
import { store } from "./store.js";
import { isWatching, openWebcam } from "./webcam.js";
import { isolated, shown } from "/shared/words.js";

export function showHead() {
  const { view, state } = store;
  if (state === null) return;
  const count = view.kind === "doctor" ? (state.doctor?.number ?? 0) : store.shown.length;
  redraw(element("head"), [view, count, isWatching()], () => [
    make("div", { class: "title" }, make("h2", { id: "heading", tabindex: "-1" }, heading()), make("span", { class: "quiet" }, counted(count))),
    view.kind === "doctor" || view.kind === "mistakes" ? null : make("div", { class: "ways" }, ...ways()),
  ]);
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
  const { kind, label } = store.view;
  const ways = [
    way("camera", "webcam", openWebcam),
    way("add", "addPhotos", chooseFiles),
    way("folder", "addFolder", chooseFolder),
    way("phone", "fromPhone", () => void collectByPhone()),
  ];
  if (kind !== "class" || label === null) return ways;
  return [...ways, way("pen", "rename", () => void rename(label)), way("bin", "removeClass", () => void removeWhole(label))];
}

/** @param {Parameters<typeof icon>[0]} drawn @param {string} key @param {() => void} act */
export function way(drawn, key, act) {
  return make("button", { type: "button", class: "way", "data-key": key, title: say(key), onclick: act }, icon(drawn), make("span", {}, say(key)));
}

/** @param {string} label */
export async function rename(label) {
  const to = (await ask({ title: say("renameTitle", { label: isolated(label) }), field: say("className"), value: label, go: say("rename") }))?.trim();
  if (!to || to === label) return;
  const there = store.state?.classes.find(({ name }) => name === to);
  const values = { label: isolated(label), to: isolated(to), count: there?.photos ?? 0 };
  if (there && !(await confirmed({ title: say("mergeTitle", values), text: say("mergeText", values), go: say("merge") }))) return;
  await renameClass(label, to);
  element("heading").focus();
}

/** @param {string} label */
async function removeWhole(label) {
  const count = store.state?.classes.find(({ name }) => name === label)?.photos ?? 0;
  const values = { label: isolated(label), count };
  if (count && !(await confirmed({ title: say("removeTitle", values), text: say("removeText", values), go: say("remove") }))) return;
  await removeClass(label);
  element("middle").focus();
}

/**
 * What can be done with the chosen photos.
 * @param {HTMLElement} bar @param {import("./selection.js").Selection} selection @param {() => void} changed
 */
export function showChosen(bar, selection, changed) {
  const count = selection.chosen.size;
  bar.hidden = count === 0;
  bar.setAttribute("aria-label", say("chosenTools"));
  redraw(bar, [count, store.classes, store.view.label], () => {
    if (count === 0) return [];
    const others = store.classes.filter((name) => name !== store.target);
    const moved = (/** @type {Event} */ event) => {
      const { value } = /** @type {HTMLSelectElement} */ (event.target);
      if (value) void move(selection.meant, value === "." ? null : value.slice(1));
    };
    return [
      make("b", {}, say("chosen", { count })),
      make(
        "select",
        { "aria-label": say("moveTo"), "data-key": "move", onchange: moved },
        make("option", { value: "" }, say("moveTo")),
        ...others.map((name) => make("option", { value: `/${name}`, "data-data": true }, shown(name))),
        store.view.kind === "unlabelled" ? null : make("option", { value: "." }, say("unlabelled")),
      ),
      make("button", { type: "button", "data-key": "remove", onclick: () => void remove(selection.meant) }, icon("bin"), say("remove")),
      make(
        "button",
        {
          type: "button",
          class: "bare",
          "data-key": "none",
          "aria-label": say("chooseNone"),
          onclick: () => {
            selection.none();
            changed();
            document.getElementById("grid")?.focus({ preventScroll: true });
          },
        },
        icon("close"),
      ),
    ];
  });
}
