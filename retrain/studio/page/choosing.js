// The browser's own windows for choosing files and folders.

import { make } from "./dom.js";
import { filesOf } from "./incoming.js";
import { store } from "./store.js";
import { upload } from "./uploads.js";

export function chooseFiles() {
  choose({ accept: "image/*,.heic,.heif,.tif,.tiff,.zip,.tar,.tgz,.gz" });
}

export function chooseFolder() {
  choose({ webkitdirectory: true });
}

/** @param {Record<string, unknown>} attributes */
function choose(attributes) {
  document.getElementById("chooser")?.remove();
  const input = make("input", { type: "file", id: "chooser", multiple: true, hidden: true, ...attributes });
  input.addEventListener("change", () => {
    upload(filesOf([...(input.files ?? [])], store.target));
    input.remove();
  });
  document.body.append(input);
  input.click();
}
