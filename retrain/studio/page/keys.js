// Keys that work all over the page, unless something is being written.

import { move, remove, undo } from "./actions.js";
import { selection } from "./middle.js";
import { store } from "./store.js";
import { train } from "./train.js";

export function listenKeys() {
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (
      target instanceof HTMLInputElement ||
      target instanceof HTMLSelectElement ||
      target instanceof HTMLTextAreaElement
    )
      return;
    if (event.repeat) return; // one press does one thing: a key that is held down would label photo after photo
    if (pressed(event)) event.preventDefault();
  });
}

/** @param {KeyboardEvent} event @returns {boolean} whether it meant something */
function pressed(event) {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" || event.shiftKey) return false;
    void undo();
    return true;
  }
  if (event.altKey) return false;
  const label = /^[1-9]$/.test(key) ? store.classes[Number(key) - 1] : undefined;
  if (label !== undefined && selection.meant.length) void move(selection.meant, label);
  else if (key === "delete" && selection.meant.length) void remove(selection.meant);
  else if (key === "u") void undo();
  else if (key === "t") void train();
  else return false;
  return true;
}
