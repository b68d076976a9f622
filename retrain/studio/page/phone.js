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
      phone?.isReachable ? null : make("pre", {}, make("code", { "data-data": true }, "retrain studio --phone")),
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

export function collectByPhone() {
  const close = make("button", { type: "button", class: "main", onclick: () => dialog.close() }, say("close"));
  const dialog = opened(say("fromPhone"), [
    make("p", {}, say("phoneCollect")),
    code("collect"),
    make("div", { class: "answers" }, close),
  ]);
}
