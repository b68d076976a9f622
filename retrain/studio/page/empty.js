// What is shown where there are no photos: what to do first.

import { makeClass } from "./actions.js";
import { chooseFiles, chooseFolder } from "./choosing.js";
import { make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { collectByPhone } from "./phone.js";
import { say } from "./say.js";
import { store } from "./store.js";
import { openWebcam } from "./webcam.js";

/** Nothing at all yet: two classes to name, or photos to drop. @param {HTMLElement} where */
export function noClasses(where) {
  redraw(where, "noClasses", () => {
    const fields = ["first", "second"].map((key) =>
      make(
        "p",
        { class: "field" },
        make("label", { for: `class-${key}` }, say(`${key}Class`)),
        make("input", {
          type: "text",
          id: `class-${key}`,
          autocomplete: "off",
          spellcheck: "false",
          maxlength: "200",
          placeholder: say(`${key}Example`),
        }),
      ),
    );
    const begin = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const names = fields.map((field) => field.querySelector("input")?.value.trim() ?? "").filter(Boolean);
      for (const name of names) if (!(await makeClass(name))) return;
      if (names[0] !== undefined) store.look({ kind: "class", label: names[0] });
    };
    return [
      make(
        "div",
        { class: "welcome" },
        make("h2", {}, say("welcome")),
        make("p", { class: "quiet" }, say("welcomeText")),
        make(
          "form",
          { class: "two", onsubmit: begin },
          ...fields,
          make("button", { type: "submit", class: "main" }, say("makeClasses")),
        ),
        make("p", { class: "or" }, make("span", {}, say("or"))),
        dropHere(say("dropHere"), say("dropHereText")),
      ),
    ];
  });
}

/** A class, or all there is unlabelled, without photos. @param {HTMLElement} where */
export function noPhotos(where) {
  const { view, state } = store;
  redraw(where, [view, state?.unlabelled], () => {
    if (view.kind === "mistakes") return [make("p", { class: "done" }, say("noMistakes"))];
    if (view.kind === "unlabelled" && store.photos.length) {
      return [
        make(
          "div",
          { class: "done" },
          make("p", {}, say("allLabelled")),
          make("p", { class: "quiet" }, say("allLabelledText")),
        ),
      ];
    }
    return [dropHere(say("dropInto"), say(view.kind === "class" ? "dropIntoText" : "dropHereText"), true)];
  });
}

/** @param {string} title @param {string} text @param {boolean} hasWebcam */
function dropHere(title, text, hasWebcam = false) {
  const ways = [
    hasWebcam && big("camera", "webcam", openWebcam),
    big("add", "addPhotos", chooseFiles),
    big("folder", "addFolder", chooseFolder),
    big("phone", "fromPhone", () => void collectByPhone()),
  ];
  return make(
    "div",
    { class: "drop" },
    make("p", { class: "lead" }, title),
    make("p", { class: "quiet" }, text),
    make("div", { class: "bigs" }, ...ways),
  );
}

/** @param {Parameters<typeof icon>[0]} drawn @param {string} key @param {() => void} act */
function big(drawn, key, act) {
  return make(
    "button",
    { type: "button", class: "big", "data-key": key, onclick: act },
    icon(drawn),
    make("span", {}, say(key)),
  );
}
