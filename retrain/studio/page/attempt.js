// Try: what the model says of a photo that is dropped, or of what the camera sees.

import { answerOf } from "./answer.js";
import { ApiError, send } from "./api.js";
import { element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { percent, say } from "./say.js";
import { store } from "./store.js";
import { announce } from "./toasts.js";
import { Camera, CameraError, watch } from "/shared/camera.js";
import { shown } from "/shared/words.js";

/** @typedef {import("../../../web/studio.js").Answer} Answer */

const SIDE = 320; // of what is sent of the camera: models see less
const QUALITY = 0.85;
const STEADY = 1000; // milliseconds that an answer stays before it is read aloud

const video = make("video", { playsinline: true, muted: true });
const image = make("img", { alt: "" });
const heat = make("img", { alt: "", class: "heat" });
const stage = make("div", { class: "stage" }, video, image, heat);
const ways = make("div", { class: "ways" });
const said = make("div", { class: "answer" });
const notice = make("p", { class: "notice", role: "alert", hidden: true });
const camera = new Camera(video);

let stop = () => {};
let isLive = false;
let isHot = false; // whether the heat map is shown
let turn = 0; // what is shown changes: an answer to what was shown before comes too late
/** @type {Answer | null} */
let answer = null;
/** @type {Blob | null} */
let chosen = null;

export function beginTry() {
  element("try").append(
    make("div", { class: "section-head" }, make("h2", { id: "try-heading" }, say("tryHeading"))),
    stage,
    ways,
    notice,
    said,
  );
  const where = element("try");
  where.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.stopPropagation();
    where.classList.add("over");
  });
  where.addEventListener("dragleave", () => where.classList.remove("over"));
  where.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    where.classList.remove("over");
    const [file] = event.dataTransfer?.files ?? [];
    if (file) void tryFile(file);
  });
  store.on("state", draw);
  store.on("photos", draw);
  document.addEventListener("visibilitychange", () => document.hidden && isLive && closeCamera());
}

let hadModel = "";

function draw() {
  const training = store.state?.training ?? null;
  const model = training === null ? "" : `${training.accuracy} ${training.seconds} ${training.photos}`;
  const isNew = model !== hadModel;
  hadModel = model;
  if (isNew && chosen !== null && model) void tryFile(chosen); // a new model may say something else
  redraw(ways, [training !== null, isLive, isHot, answer !== null], () => [
    training === null ? make("p", { class: "quiet" }, say("tryLater")) : null,
    make(
      "button",
      {
        type: "button",
        class: "way",
        "data-key": "try-camera",
        disabled: training === null,
        onclick: () => (isLive ? closeCamera() : void openCamera()),
      },
      icon("camera"),
      say(isLive ? "closeCamera" : "camera"),
    ),
    make(
      "button",
      { type: "button", class: "way", "data-key": "try-file", disabled: training === null, onclick: choose },
      icon("add"),
      say("tryPhoto"),
    ),
    answer !== null
      ? make(
          "button",
          { type: "button", class: "way", "data-key": "heat", "aria-pressed": String(isHot), onclick: toggleHeat },
          say("heat"),
        )
      : null,
  ]);
  stage.hidden = !isLive && chosen === null;
  video.hidden = !isLive;
  image.hidden = isLive || chosen === null;
  heat.hidden = !isHot || answer?.heat == null;
  if (answer?.heat != null && heat.getAttribute("src") !== answer.heat) heat.src = answer.heat;
  redraw(said, [answer && { ...answer, heat: null }, store.photos.length], () =>
    answer === null ? [] : answerOf(answer),
  );
}

function toggleHeat() {
  isHot = !isHot;
  draw();
}

function choose() {
  const input = make("input", { type: "file", accept: "image/*", id: "try-chooser", hidden: true });
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    input.remove();
    if (file) void tryFile(file);
  });
  document.body.append(input);
  input.click();
}

/** @param {Blob} file */
async function tryFile(file) {
  closeCamera();
  const mine = ++turn;
  if (chosen !== file) {
    chosen = file;
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(file);
    answer = null;
  }
  tell(null);
  draw();
  try {
    const got = await send("try", file);
    if (mine !== turn) return;
    answer = got;
    if (answer) speak(answer, true);
  } catch (error) {
    if (mine === turn) tell(error instanceof Error ? error.message : String(error));
  }
  draw();
}

async function openCamera() {
  tell(null);
  try {
    await camera.open({ facingMode: { ideal: "environment" } });
  } catch (error) {
    tell(say(error instanceof CameraError ? error.message : "noCamera"));
    return;
  }
  turn++;
  chosen = null;
  answer = null;
  isLive = true;
  camera.track?.addEventListener("ended", () => {
    closeCamera();
    tell(say("ended"));
  });
  stop = watch(video, seen);
  draw();
}

function closeCamera() {
  if (!isLive) return;
  stop();
  turn++;
  camera.close();
  isLive = false;
  answer = null;
  draw();
}

/** @param {ImageBitmap} frame */
async function seen(frame) {
  const mine = turn;
  const share = Math.min(1, SIDE / Math.min(frame.width, frame.height));
  const canvas = make("canvas", { width: Math.round(frame.width * share), height: Math.round(frame.height * share) });
  canvas.getContext("2d")?.drawImage(frame, 0, 0, canvas.width, canvas.height);
  frame.close();
  const data = await new Promise((/** @type {(data: Blob | null) => void} */ done) =>
    canvas.toBlob(done, "image/jpeg", QUALITY),
  );
  if (data === null || mine !== turn) return;
  try {
    const got = await send("try", data, { heat: String(isHot) });
    if (mine !== turn) return;
    tell(null);
    answer = got;
    if (answer) speak(answer, false);
    draw();
  } catch (error) {
    if (mine === turn)
      tell(
        error instanceof ApiError && error.status === 0
          ? say("notReached")
          : String(/** @type {any} */ (error).message),
      );
    throw error; // the next frame is tried a little later
  }
}

/** @param {string | null} text */
function tell(text) {
  notice.hidden = text === null;
  notice.textContent = text ?? "";
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let speaking;
let heard = "";

/** Read aloud what stays: not every name that passes by. @param {Answer} told @param {boolean} atOnce */
function speak({ top, unknown }, atOnce) {
  const [first] = top;
  const name = unknown || first === undefined ? say("unknown") : shown(first.label);
  if (name === heard && !atOnce) return;
  heard = name;
  clearTimeout(speaking);
  const text =
    unknown || first === undefined ? name : say("guessIs", { label: name, percent: percent(first.probability) });
  if (atOnce) announce(text);
  else speaking = setTimeout(() => announce(text), STEADY);
}
