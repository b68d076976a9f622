// Photos that are dropped anywhere on the page, or pasted.

import { dropped } from "./incoming.js";
import { draggedPhotos } from "./middle.js";
import { store } from "./store.js";
import { upload } from "./uploads.js";

/** @type {ReturnType<typeof setTimeout> | undefined} */
let leaving;

export function listenDrops() {
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dragging");
    clearTimeout(leaving); // it is told again and again as long as something is above the page
    leaving = setTimeout(() => document.body.classList.remove("dragging"), 300);
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dragging");
    if (event.dataTransfer === null || draggedPhotos(event.dataTransfer) !== null) return;
    if (!event.dataTransfer.types.includes("Files")) return; // text goes where it is dropped
    event.preventDefault();
    void dropped(event.dataTransfer, store.target).then(upload);
  });
  document.addEventListener("paste", (event) => {
    if (event.target instanceof HTMLInputElement || event.clipboardData === null) return;
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    void dropped(event.clipboardData, store.target).then(upload);
  });
}
