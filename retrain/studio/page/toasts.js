// Short news at the foot of the page, read aloud: what was done, with what takes it back, and what went wrong.

import { element, make } from "./dom.js";
import { icon } from "./icons.js";
import { say } from "./say.js";

const STAYS = 8000; // milliseconds; one that is pointed at or has the focus stays

/**
 * @param {string} text @param {{action?: string, act?: () => void, isBad?: boolean}} options
 */
export function toast(text, { action, act, isBad = false } = {}) {
  const shown = make("div", { class: isBad ? "toast bad" : "toast" }, make("p", {}, text));
  if (action && act) {
    const press = () => {
      shown.remove();
      act();
    };
    shown.append(make("button", { type: "button", class: "link", onclick: press }, action));
  }
  shown.append(
    make(
      "button",
      { type: "button", class: "bare", "aria-label": say("close"), onclick: () => shown.remove() },
      icon("close"),
    ),
  );
  const list = element("toasts");
  for (const old of [...list.children].slice(0, -1)) old.remove(); // two at the most
  list.append(shown);
  const leave = () => {
    if (shown.matches(":hover") || shown.contains(document.activeElement)) setTimeout(leave, STAYS);
    else shown.remove();
  };
  setTimeout(leave, isBad ? 2 * STAYS : STAYS);
}

/** What went wrong, in the server's sentence. @param {unknown} error */
export function complain(error) {
  const reason = error instanceof Error ? error.message : String(error);
  toast(/** @type {any} */ (error)?.status === 0 ? say("notReached") : reason, { isBad: true });
}

/** Say something that is seen elsewhere. @param {string} text */
export function announce(text) {
  element("said").textContent = text;
}
