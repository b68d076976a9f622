// The page: one of four views (start, live, frozen, photo), and what the model says of what is in it.

import { Steadied, verdictOf } from "./answers.js";
import { Camera, CameraError, watch } from "./camera.js";
import { openEngine, PhotoError } from "./engine.js";
import { keepOffline } from "./offline.js";
import { unreadable } from "./photos.js";
import { element, showAnswer, showNotice, showPrivate, showProgress, showRate, showView, translate } from "./view.js";

/** @typedef {import("./engine.js").Engine} Engine */
/** @typedef {import("./engine.js").Config} Config */

const video = /** @type {HTMLVideoElement} */ (element("video"));
const still = /** @type {HTMLCanvasElement} */ (element("still"));
const photo = /** @type {HTMLImageElement} */ (element("photo"));
const file = /** @type {HTMLInputElement} */ (element("file"));
const camera = new Camera(video);
const steadied = new Steadied();

/** @type {Config} */
let config;
/** @type {Promise<Engine>} */
let engine;
/** @type {string | null} */
let failure = null; // why there is no engine
let stop = () => {};
let wasLive = false; // when the page went into the background
let shows = 0; // what is shown changes: an answer to what was shown before comes too late

async function begin() {
  element("asleep").hidden = true;
  const response = await fetch("config.json", { cache: "no-cache" });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  config = await response.json();
  translate(config);
  showProgress(0);
  listen();
  engine = load();
  if (!window.isSecureContext) showNotice("insecure");
  else if (await isAllowed()) void openCamera();
  await engine;
}

/** What answers. The camera may be opened meanwhile. */
async function load() {
  const isKept = await keepOffline((share) => showProgress(share * 0.9), offerNewer);
  const opened = await openEngine(config, (share) => showProgress(isKept ? 0.9 + share / 10 : share));
  showProgress(null);
  showPrivate(opened.onPhone, isKept);
  return opened;
}

/** Whether the camera was allowed before: then nobody has to be asked, and there is nothing to press. */
async function isAllowed() {
  try {
    return (await navigator.permissions.query({ name: /** @type {any} */ ("camera") })).state === "granted";
  } catch {
    return false;
  }
}

function listen() {
  element("open").addEventListener("click", () => openCamera());
  element("freeze").addEventListener("click", () => (document.body.dataset["view"] === "live" ? freeze() : openCamera()));
  element("switch").addEventListener("click", () => openCamera(() => camera.switch()));
  element("torch").addEventListener("click", switchLight);
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    if (chosen) void showPhoto(chosen);
    file.value = ""; // the same one may be chosen again
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      wasLive = document.body.dataset["view"] === "live";
      leaveCamera();
    } else if (wasLive) void openCamera();
  });
}

/** @param {() => Promise<void>} open */
async function openCamera(open = () => (camera.isOpen ? Promise.resolve() : camera.open())) {
  stop();
  try {
    await open();
  } catch (error) {
    if (camera.isOpen) return; // by another press
    showView("start");
    showNotice(error instanceof CameraError ? error.message : "noCamera");
    return;
  }
  shows++;
  steadied.forget();
  clearNotice();
  showView("live");
  fit(video.videoWidth, video.videoHeight);
  video.onresize = () => fit(video.videoWidth, video.videoHeight);
  if (camera.track) {
    camera.track.onended = () => {
      leaveCamera();
      showView("start");
      showNotice("ended");
    };
  }
  showAnswer(null);
  showLight(false);
  element("torch").hidden = !camera.hasTorch;
  /** @type {HTMLButtonElement} */ (element("switch")).disabled = (await camera.cameras()).length < 2;
  stop = watch(video, seen);
}

function leaveCamera() {
  stop();
  camera.close();
}

/** @param {ImageBitmap} frame */
async function seen(frame) {
  const shown = shows;
  let asked, outputs;
  try {
    asked = await engine;
    outputs = await asked.answer(frame);
  } catch (error) {
    frame.close();
    if (shown === shows) tellFailed(error);
    throw error; // the next frame is tried a little later
  }
  if (shown !== shows) return;
  clearNotice();
  const now = performance.now();
  showAnswer(verdictOf(steadied.with(outputs, now), asked.labels, config.threshold));
  showRate(now);
}

/** The frame that is seen now, and what is said of it alone. */
async function freeze() {
  if (video.readyState < 2) return; // there is no picture yet
  stop();
  const frame = await createImageBitmap(video);
  still.width = frame.width;
  still.height = frame.height;
  still.getContext("2d")?.drawImage(frame, 0, 0);
  showView("frozen");
  await label(frame);
}

/** @param {File} chosen */
async function showPhoto(chosen) {
  leaveCamera();
  URL.revokeObjectURL(photo.src);
  photo.src = URL.createObjectURL(chosen);
  photo.onload = () => fit(photo.naturalWidth, photo.naturalHeight);
  showView("photo");
  clearNotice();
  showAnswer(null);
  await label(chosen);
}

/** @param {ImageBitmap | File} picture */
async function label(picture) {
  const shown = ++shows;
  try {
    const asked = await engine;
    const outputs = await asked.answer(picture);
    if (shown === shows) showAnswer(verdictOf(outputs, asked.labels, config.threshold), true);
  } catch (error) {
    if (shown !== shows) return;
    if (error instanceof PhotoError && picture instanceof File) showNotice(await unreadable(picture));
    else tellFailed(error);
    showAnswer(null);
  }
}

/** @param {unknown} error */
function tellFailed(error) {
  if (failure === null) showNotice("noAnswer", { reason: reasonOf(error) });
}

function clearNotice() {
  if (failure === null) showNotice(null);
  else showNotice("noModel", { reason: failure });
}

async function switchLight() {
  const on = element("torch").getAttribute("aria-pressed") !== "true";
  await camera.light(on).then(
    () => showLight(on),
    () => {},
  );
}

/** @param {boolean} on */
function showLight(on) {
  element("torch").setAttribute("aria-pressed", String(on));
}

/** The stage in the shape of what is on it. @param {number} width @param {number} height */
function fit(width, height) {
  if (width && height) element("stage").style.aspectRatio = `${width} / ${height}`;
}

/** @param {() => void} renew */
function offerNewer(renew) {
  element("update").hidden = false;
  element("renew").addEventListener("click", renew);
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}

begin().catch((error) => {
  failure = reasonOf(error);
  showProgress(null);
  clearNotice();
});
