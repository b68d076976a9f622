// One photo, as large as the window: with the same keys as the grid.

import { get, large } from "./api.js";
import { pictures } from "./answer.js";
import { move, remove } from "./actions.js";
import { opened } from "./dialogs.js";
import { make, setText } from "./dom.js";
import { icon } from "./icons.js";
import { percent, say } from "./say.js";
import { store } from "./store.js";
import { shown } from "/shared/words.js";

const PAUSE = 150; // milliseconds: who steps through photos asks about the one where they stay

/** @param {string} id @param {import("./selection.js").Selection} selection */
export function enlarge(id, selection) {
  const image = make("img", { alt: "" });
  const name = make("bdi", { class: "file" });
  const what = make("p");
  const similar = make("ul", { class: "nearest", "aria-label": say("similarPhotos") });
  let waiting = 0;
  selection.at = id;
  const showSimilar = (/** @type {string} */ of) => {
    clearTimeout(waiting);
    similar.replaceChildren();
    waiting = window.setTimeout(async () => {
      const found = await get(`photos/${of}/similar`).catch(() => ({ photos: [] }));
      if (selection.at === of) similar.replaceChildren(...pictures(found.photos));
    }, PAUSE);
  };
  const show = () => {
    const photo = store.byId.get(selection.at ?? "");
    if (photo === undefined) {
      dialog.close();
      return;
    }
    image.src = large(photo.id);
    showSimilar(photo.id);
    setText(name, photo.name);
    const guess = store.guesses.find((each) => each.id === photo.id);
    const label = photo.label === null ? say("unlabelled") : shown(photo.label);
    const told = photo.label === null && guess !== undefined;
    setText(what, told ? say("guessIs", { label: shown(guess.label), percent: percent(guess.probability) }) : label);
  };
  const step = (/** @type {number} */ by) => {
    selection.step(by, false);
    show();
  };
  const dialog = opened(
    say("enlarged"),
    [
      image,
      make(
        "div",
        { class: "below" },
        make(
          "button",
          { type: "button", class: "bare turn back", "aria-label": say("previous"), onclick: () => step(-1) },
          icon("down"),
        ),
        make("div", { class: "told" }, what, name),
        make(
          "button",
          { type: "button", class: "bare turn on", autofocus: true, "aria-label": say("next"), onclick: () => step(1) },
          icon("down"),
        ),
        make(
          "button",
          { type: "button", class: "bare", "aria-label": say("close"), onclick: () => dialog.close() },
          icon("close"),
        ),
      ),
      make("h3", { class: "small quiet" }, say("similarPhotos")),
      similar,
    ],
    "large",
  );
  const act = (/** @type {KeyboardEvent} */ event) => {
    const at = selection.at ?? "";
    const label = /^[1-9]$/.test(event.key) ? store.classes[Number(event.key) - 1] : undefined;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "ArrowRight" || event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowLeft" || event.key === "ArrowUp") step(-1);
    else if (event.repeat) return; // a key that is held down would go through all photos
    else if (event.key === "Delete") void remove([at]);
    else if (label !== undefined) void move([at], label);
    else return;
    event.preventDefault();
    show();
  };
  dialog.addEventListener("keydown", act);
  dialog.addEventListener("close", () => {
    clearTimeout(waiting);
    const grid = document.getElementById("grid");
    grid?.dispatchEvent(new Event("focus"));
    grid?.focus({ preventScroll: true });
  });
  show();
}
