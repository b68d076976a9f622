// From the phone, and to it: an address to point its camera at.

import { opened } from "./dialogs.js";
import { make } from "./dom.js";
import { say } from "./say.js";
import { store } from "./store.js";

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
      ...(phone?.isReachable ? [] : commands(store.state?.folder.path ?? "", "--phone")),
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
 * What starts the studio in a terminal, for those who have the project's folder and for those who have it installed.
 * @param {string} folder @param {string} option
 */
export function commands(folder, option = "") {
  const of = /^[\w./~:-]*$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`;
  const make_ = `make studio${of && ` IMAGE_DIR=${of}`}${option && ` ARGS=${option}`}`;
  const told = (/** @type {string} */ command) => make("code", { "data-data": true }, command);
  return [
    make("p", { class: "command" }, told(make_)),
    make("p", { class: "command" }, say("orElse"), " ", told(`retrain studio ${of} ${option}`.replace(/ +/g, " ").trim())),
  ];
}

export function collectByPhone() {
  const close = make("button", { type: "button", class: "main", onclick: () => dialog.close() }, say("close"));
  const dialog = opened(say("fromPhone"), [
    store.state?.phone.isReachable ? make("p", {}, say("phoneCollect")) : null, // else there is no code to point at
    code("collect"),
    make("div", { class: "answers" }, close),
  ]);
}
