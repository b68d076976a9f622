// Where there is room for one column alone: which one is seen.

import { element, make } from "./dom.js";
import { icon } from "./icons.js";
import { say } from "./say.js";
import { store } from "./store.js";

const TABS = /** @type {const} */ (["photos", "train", "try", "take"]);

export function beginTabs() {
  const nav = element("tabs");
  nav.setAttribute("aria-label", say("parts"));
  nav.append(
    ...TABS.map((name) =>
      make(
        "button",
        { type: "button", "data-tab": name, onclick: () => open(name) },
        icon(name),
        make("span", {}, say(`${name}Tab`)),
      ),
    ),
  );
  store.on("view", () => open("photos")); // what is to be looked at is there
  open("photos");
}

/** @param {typeof TABS[number]} name */
function open(name) {
  document.body.dataset["tab"] = name;
  for (const button of element("tabs").children) {
    button.toggleAttribute("aria-current", button instanceof HTMLElement && button.dataset["tab"] === name);
    if (button.hasAttribute("aria-current")) button.setAttribute("aria-current", "true");
  }
  window.dispatchEvent(new Event("resize"));
}
