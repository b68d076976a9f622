// From the phone, and to it: an address to point its camera at.

import { opened } from "./dialogs.js";
import { make } from "./dom.js";
import { say } from "./say.js";
import { store } from "./store.js";

/** @typedef {import("./store.js").State} State */

/** The code of an address, and the address itself; or why phones cannot reach it. @param {"collect" | "phone"} what */
export function code(what) {
  const phone = store.state?.phone;
  const address = what === "collect" ? phone?.collect : phone?.try;
  if (!phone?.isReachable || !address) {
    const sentence = phone?.isReachable ? say("phoneNotYet") : say("phoneNotReachable");
    return make(
      "div",
      { class: "code" },
      make("p", {}, sentence),
      ...(phone?.isReachable ? [] : commands(store.state, "--phone")),
    );
  }
  return make(
    "div",
    { class: "code" },
    make("img", { src: `/api/qr?for=${what}`, alt: say("qr"), class: "qr" }),
    make("p", { class: "file" }, make("bdi", {}, address)),
    make("p", { class: "quiet" }, say("phoneSame")),
  );
}

/**
 * What starts the studio as it was in a terminal, for those who have the project's folder and for those who have it installed.
 * @param {Pick<State, "folder" | "options"> | null} state @param {string} more
 */
export function commands(state, more = "") {
  const folder = state?.folder.path ?? "";
  const of = /^[\w./~:-]*$/.test(folder) ? folder : quoted(folder);
  const options = [state?.options, more].filter(Boolean).join(" ");
  const make_ = `make studio${of && ` IMAGE_DIR=${of}`}${options && ` ARGS=${/ |'/.test(options) ? quoted(options) : options}`}`;
  const told = (/** @type {string} */ command) => make("code", { "data-data": true }, command);
  return [
    make("p", { class: "command" }, told(make_)),
    make("p", { class: "command" }, say("orElse"), " ", told(`retrain studio ${of} ${options}`.replace(/ +/g, " ").trim())),
  ];
}

/** As one word for a shell. @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function collectByPhone() {
  const close = make("button", { type: "button", class: "main", onclick: () => dialog.close() }, say("close"));
  const dialog = opened(say("fromPhone"), [
    store.state?.phone.isReachable ? make("p", {}, say("phoneCollect")) : null, // else there is no code to point at
    code("collect"),
    make("div", { class: "answers" }, close),
  ]);
}
