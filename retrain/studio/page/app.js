// The studio's page: it enters, listens to the server, and leaves each part to its own module.

import { sentence, undo } from "./actions.js";
import { ApiError, enter, get, whenRefused } from "./api.js";
import { element, make, redraw } from "./dom.js";
import { listenDrops } from "./drop.js";
import { listen } from "./events.js";
import { icon } from "./icons.js";
import { listenKeys } from "./keys.js";
import { beginMiddle } from "./middle.js";
import { beginRail } from "./rail.js";
import { doing, languages, percent, say, translate } from "./say.js";
import { store } from "./store.js";
import { beginTabs } from "./tabs.js";
import { commands } from "./phone.js";
import { beginTake } from "./take.js";
import { beginTrain } from "./train.js";
import { beginTry } from "./attempt.js";
import { beginWebcam } from "./webcam.js";

async function begin() {
  translate();
  footer();
  whenRefused.locked = locked;
  try {
    await enter();
    store.state = await get("state");
  } catch (error) {
    if (error instanceof ApiError && [401, 403].includes(error.status)) {
      locked(); // without a token, or with that of a phone
      return;
    }
    banner(true);
  }
  beginRail();
  beginMiddle();
  beginWebcam();
  beginTrain();
  beginTry();
  beginTake();
  beginTabs();
  store.on("state", top);
  element("undo").addEventListener("click", () => void (store.state?.undo && undo()));
  listenKeys();
  listenDrops();
  if (store.state !== null) store.take(store.state);
  listen(banner);
  document.body.dataset["ready"] = "true";
}

function top() {
  const { state } = store;
  if (state === null) return;
  const { folder, work, seeing } = state;
  document.title = say("title", { folder: folder.name });
  element("folder").textContent = folder.name;
  element("folder").title = folder.path;
  const isSeeing = work === null && seeing.done < seeing.total;
  const done = work?.total ? ` ${percent(work.done / work.total)}` : "";
  element("work").textContent = isSeeing
    ? say("seeing", { done: seeing.done, count: seeing.total })
    : work
      ? doing(work) + done
      : "";
  const button = element("undo");
  redraw(button, state.undo, () => [icon("undo"), make("span", {}, say("undo"))]);
  if (state.undo === null) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
  button.title = state.undo === null ? "" : sentence(state.undo);
}

/** @type {import("./store.js").State | null} */
let last = null; // what is said once the server is gone

/** @param {boolean} isLost */
function banner(isLost) {
  last = store.state ?? last;
  element("banner").hidden = !isLost;
  redraw(element("banner"), isLost, () => {
    if (!isLost) return [];
    return [
      make("p", {}, say("stopped", { folder: last?.folder.path || say("theFolder") })),
      make("p", {}, say("startAgain")),
      ...commands(last),
    ];
  });
}

/** The server does not know this page: the address is not the one that it showed, or is not valid any more. */
function locked() {
  document.body.replaceChildren(
    make(
      "main",
      { class: "locked" },
      make("h1", {}, say("lockedTitle")),
      make("p", {}, say("lockedText")),
      make("pre", {}, make("code", { "data-data": true }, `${location.origin}/#token=…`)),
    ),
  );
}

function footer() {
  const choices = languages().map(({ name, code, isChosen, choose }) =>
    make(
      "button",
      {
        type: "button",
        class: "link",
        lang: code,
        "aria-pressed": String(isChosen),
        "data-data": true,
        onclick: choose,
      },
      name,
    ),
  );
  element("footer").append(
    make("p", {}, say("private")),
    make("div", { class: "languages", role: "group", "aria-label": say("language") }, ...choices),
  );
}

begin().catch((error) => {
  element("banner").hidden = false;
  element("banner").textContent = String(error?.message ?? error);
});
