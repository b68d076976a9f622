// The phone's page: what it is, and photos of it, which go straight to the computer.

import { enter, get, whenRefused } from "../api.js";
import { Burst } from "../burst.js";
import { element, make, redraw } from "../dom.js";
import { icon } from "../icons.js";
import { say, translate } from "../say.js";
import { pending, upload, whenSent } from "../uploads.js";
import { Camera, CameraError } from "/shared/camera.js";
import { shown } from "/shared/words.js";

const AGAIN = 4000; // milliseconds between two looks for new classes

const video = make("video", { playsinline: true, muted: true, class: "live-camera", "data-key": "video" });
const camera = new Camera(video);
const burst = new Burst(video, "phone");
/** @type {string[]} */
let classes = [];
/** @type {string | null} */
let label = null;
let sent = 0;
let notice = "";
let isLocked = false;

async function begin() {
  translate();
  document.title = say("collectTitle");
  whenRefused.locked = () => {
    isLocked = true;
    draw();
  };
  await enter().catch(() => {});
  whenSent.sent = () => sent++;
  whenSent.changed = count;
  burst.taken = (file) => upload([{ file, label, isArchive: false }]);
  await refresh();
  setInterval(() => document.hidden || isLocked || void refresh(), AGAIN);
  document.addEventListener("visibilitychange", () => document.hidden && camera.isOpen && close());
  document.body.dataset["ready"] = "true";
}

async function refresh() {
  try {
    classes = (await get("classes")).classes;
    if (label === null || !classes.includes(label)) label = classes[0] ?? null;
  } catch {
    // the computer is away: what is taken meanwhile is tried again
  }
  draw();
}

function draw() {
  redraw(element("collect"), [classes, isLocked, notice, camera.isOpen, label], () => {
    if (isLocked) return [make("h1", {}, say("lockedTitle")), make("p", {}, say("collectLocked"))];
    const heading = make("h1", {}, say("collectTitle"));
    if (classes.length === 0) return [heading, make("p", {}, say("collectNone"))];
    return [
      heading,
      make("p", { class: "quiet" }, say("collectText")),
      make("fieldset", {}, make("legend", {}, say("class")), make("div", { class: "labels" }, ...classes.map(choice))),
      notice ? make("p", { class: "notice", role: "alert" }, notice) : null,
      camera.isOpen ? video : null,
      make("div", { class: "thumb" }, make("p", { class: "counted", id: "counted", role: "status" }), ...buttons()),
    ];
  });
  if (camera.isOpen) void video.play().catch(() => {});
  count();
}

/** @param {string} name @param {number} place */
function choice(name, place) {
  const id = `label-${place}`;
  const chosen = () => {
    label = name;
    draw();
  };
  return make(
    "label",
    { for: id },
    make("input", { type: "radio", name: "label", id, checked: name === label, onchange: chosen }),
    make("bdi", {}, shown(name)),
  );
}

function buttons() {
  if (camera.isOpen) {
    const shoot = make(
      "button",
      { type: "button", class: "main", id: "shoot", "data-key": "shoot" },
      icon("camera"),
      say("collectShoot"),
    );
    burst.hold(shoot);
    return [
      shoot,
      make("button", { type: "button", "data-key": "close", onclick: close }, icon("close"), say("closeCamera")),
    ];
  }
  return [
    make(
      "button",
      { type: "button", class: "main", "data-key": "take", onclick: () => choose(true) },
      icon("camera"),
      say("collectTake"),
    ),
    window.isSecureContext
      ? make(
          "button",
          { type: "button", "data-key": "live", onclick: () => void open() },
          icon("try"),
          say("collectLive"),
        )
      : null,
    make(
      "button",
      { type: "button", "data-key": "choose", onclick: () => choose(false) },
      icon("photos"),
      say("collectChoose"),
    ),
  ];
}

function count() {
  const where = document.getElementById("counted");
  if (where === null) return;
  const waiting = pending();
  where.textContent =
    say("collectSent", { count: sent }) + (waiting ? ` · ${say("collectWaiting", { count: waiting })}` : "");
}

/** @param {boolean} byCamera */
function choose(byCamera) {
  document.getElementById("chooser")?.remove();
  const input = make("input", {
    type: "file",
    id: "chooser",
    accept: "image/*",
    hidden: true,
    multiple: !byCamera,
    capture: byCamera ? "environment" : null,
  });
  input.addEventListener("change", () => {
    upload([...(input.files ?? [])].map((file) => ({ file, label, isArchive: false })));
    input.remove();
    count();
  });
  document.body.append(input);
  input.click();
}

async function open() {
  notice = "";
  try {
    await camera.open();
    camera.track?.addEventListener("ended", () => {
      notice = say("ended");
      close();
    });
  } catch (error) {
    notice = say(error instanceof CameraError ? error.message : "noCamera");
  }
  draw();
  document.getElementById("shoot")?.focus();
}

function close() {
  burst.release();
  camera.close();
  draw();
}

void begin();
