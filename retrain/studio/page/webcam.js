// Photos by this computer's camera: as long as the button is held, four a second go into the class.

import { Burst } from "./burst.js";
import { element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { say } from "./say.js";
import { store } from "./store.js";
import { pending, upload } from "./uploads.js";
import { announce } from "./toasts.js";
import { Camera, CameraError } from "/shared/camera.js";
import { isolated, shown } from "/shared/words.js";

const MOST_WAITING = 24; // photos on their way: more only fill the memory

const video = make("video", { playsinline: true, muted: true });
const camera = new Camera(video);
const burst = new Burst(video, "webcam");
/** @type {string | null} */
let label = null;
let isOpen = false;
let notice = "";

export function beginWebcam() {
  burst.isFull = () => pending() > MOST_WAITING;
  burst.taken = (file, place) => {
    upload([{ file, label, isArchive: false }]);
    element("taken").textContent = told(place);
  };
  burst.ended = (count) => announce(told(count));
  store.on("state", () => isOpen && show());
  store.on("view", () => {
    if (!isOpen) return;
    if (store.view.kind === "class") label = store.target; // the class that is looked at gets the next burst
    show();
  });
}

export function openWebcam() {
  label = store.target;
  isOpen = true;
  notice = "";
  show();
  void open();
}

async function open() {
  try {
    await camera.open({ facingMode: { ideal: "user" } });
  } catch (error) {
    notice = say(error instanceof CameraError ? error.message : "noCamera");
    show();
    return;
  }
  camera.track?.addEventListener("ended", unplugged); // not told where the page itself ends it
  show();
  element("hold").focus();
  video.closest(".webcam")?.scrollIntoView({ block: "nearest" });
}

function unplugged() {
  burst.release();
  camera.close();
  notice = say("ended");
  show();
}

export function closeWebcam() {
  burst.release();
  camera.close();
  isOpen = false;
  redraw(element("webcam"), null, () => []);
  store.tell("view");
  element("middle").focus({ preventScroll: true });
}

function show() {
  const isNew = redraw(element("webcam"), [notice, label, store.classes], () => {
    const into = make(
      "select",
      {
        id: "into",
        onchange: (/** @type {Event} */ event) =>
          (label = /** @type {HTMLSelectElement} */ (event.target).value.slice(1) || null),
      },
      make("option", { value: "" }, say("unlabelled")),
      ...store.classes.map((name) =>
        make("option", { value: `/${name}`, selected: name === label, "data-data": true }, shown(name)),
      ),
    );
    return [
      make(
        "section",
        { class: "webcam", "aria-label": say("webcam") },
        make("div", { class: "seen" }, video, notice ? make("p", { class: "notice" }, notice) : null),
        make(
          "div",
          { class: "side" },
          make("p", { class: "field" }, make("label", { for: "into" }, say("into")), into),
          holdButton(notice !== ""),
          make("p", { id: "taken", class: "quiet" }, say("holdHelp")),
          make(
            "button",
            { type: "button", "data-key": "close-webcam", onclick: closeWebcam },
            icon("close"),
            say("closeCamera"),
          ),
        ),
      ),
    ];
  });
  if (isNew && camera.isOpen) void video.play().catch(() => {}); // one that is put elsewhere stands still
}

/** @param {boolean} isOff */
function holdButton(isOff) {
  const button = make(
    "button",
    { type: "button", id: "hold", class: "main hold", disabled: isOff },
    icon("camera"),
    say("hold"),
  );
  burst.hold(button);
  return button;
}

/** @param {number} count */
function told(count) {
  return say("took", { count, label: label === null ? say("unlabelled") : isolated(label) });
}
