// Questions, each in a dialog of its own: the browser's own element, which keeps the focus and gives it back.

import { make } from "./dom.js";
import { say } from "./say.js";

/**
 * A dialog, open until it is closed; then it is gone.
 * @param {string} title @param {(Node | null)[]} children @param {string} kind
 */
export function opened(title, children, kind = "") {
  const before = document.activeElement;
  const id = `dialog-${Date.now()}`;
  const dialog = make("dialog", { class: kind, "aria-labelledby": id }, make("h2", { id }, title), ...children);
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * A word that is asked for; null where it is not given.
 * @param {{title: string, field: string, value?: string, go: string}} of
 * @returns {Promise<string | null>}
 */
export function ask({ title, field, value = "", go }) {
  return new Promise((done) => {
    const input = make("input", {
      type: "text",
      id: "asked",
      value,
      autocomplete: "off",
      spellcheck: "false",
      maxlength: "200",
    });
    const give = (/** @type {Event} */ event) => {
      event.preventDefault();
      const { value: given } = input;
      dialog.close("given");
      done(given);
    };
    const form = make(
      "form",
      { method: "dialog", onsubmit: give },
      make("label", { for: "asked" }, field),
      input,
      make(
        "div",
        { class: "answers" },
        make("button", { type: "button", onclick: () => dialog.close() }, say("cancel")),
        make("button", { type: "submit", class: "main" }, go),
      ),
    );
    const dialog = opened(title, [form]);
    dialog.addEventListener("close", () => done(null)); // after an answer it changes nothing
    input.select();
  });
}

/** @param {{title: string, text: string, go: string}} of @returns {Promise<boolean>} */
export function confirmed({ title, text, go }) {
  return new Promise((done) => {
    const yes = () => {
      done(true);
      dialog.close();
    };
    const dialog = opened(title, [
      make("p", {}, text),
      make(
        "div",
        { class: "answers" },
        make("button", { type: "button", onclick: () => dialog.close() }, say("cancel")),
        make("button", { type: "button", class: "main", onclick: yes }, go),
      ),
    ]);
    dialog.addEventListener("close", () => done(false));
  });
}
