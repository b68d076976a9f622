// Train: one button, how far it is, and what came of it.

import { start } from "./actions.js";
import { curveOf } from "./charts.js";
import { bar, element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { resultOf } from "./results.js";
import { doing, percent, say } from "./say.js";
import { store } from "./store.js";
import { announce } from "./toasts.js";
import { isolated } from "/shared/words.js";

const LEAST = 2; // classes with photos

let wasTraining = false;
const heading = make("div", { class: "section-head" });
const button = make("div", { class: "go" });
const live = make("div", { class: "live" });
const result = make("div", { class: "result" });

export function beginTrain() {
  element("train").append(heading, button, live, result);
  heading.append(make("h2", { id: "train-heading" }, say("trainHeading")));
  for (const what of /** @type {const} */ (["state", "curve", "photos"])) store.on(what, draw);
}

export async function train() {
  if (why() !== null || store.state?.work?.kind === "train") return;
  store.curve = [];
  await start("train");
}

/** Why there is nothing to train on yet; null where there is. */
function why() {
  const classes = store.state?.classes ?? [];
  const filled = classes.filter(({ photos }) => photos > 0);
  if (filled.length >= LEAST) return null;
  if (classes.length < LEAST) return say("needClasses");
  const [empty] = classes.filter(({ photos }) => photos === 0);
  return say("needPhotos", { label: isolated(empty?.name ?? "") });
}

function draw() {
  const { state, curve } = store;
  if (state === null) return;
  const { work, seeing, training, failure } = state;
  const isTraining = work?.kind === "train";
  const reason = why();
  const isStale = training !== null && !training.isCurrent;
  redraw(
    button,
    [
      reason,
      work?.kind,
      work?.sentence,
      work?.done,
      work?.total,
      seeing.done,
      seeing.total,
      seeing.skipped.length,
      isStale,
      training === null,
      failure,
    ],
    () => [
      reason !== null ? make("p", { class: "quiet" }, reason) : null,
      isStale && !isTraining ? make("p", { class: "stale" }, say("stale")) : null,
      make(
        "button",
        {
          type: "button",
          class: "main",
          "data-key": "train",
          disabled: reason !== null,
          "aria-disabled": isTraining || null,
          "aria-keyshortcuts": "T",
          onclick: () => void train(),
        },
        say(isTraining ? "training" : training === null ? "train" : "trainAgain"),
        make("kbd", { "aria-hidden": "true" }, "T"),
      ),
      work !== null ? progress(doing(work), work.done, work.total) : null,
      work === null && seeing.done < seeing.total
        ? progress(say("seeing", { done: seeing.done, count: seeing.total }), seeing.done, seeing.total)
        : null,
      seeing.skipped.length ? skipped(seeing.skipped) : null,
      failure ? make("p", { class: "notice", role: "alert", "data-data": true }, failure) : null,
    ],
  );
  redraw(live, [isTraining, isTraining && curve.length], () =>
    isTraining && curve.length > 1 ? [curveOf(curve)] : [],
  );
  redraw(result, [training, isTraining && training === null, store.photos.length, state.version], () =>
    training === null ? [] : resultOf(training),
  );
  if (wasTraining && !isTraining && training?.isCurrent)
    announce(
      training.accuracy === null ? say("accuracyNone") : say("trained", { percent: percent(training.accuracy) }),
    );
  wasTraining = isTraining;
}

/** @param {string} sentence @param {number} done @param {number | null} total */
function progress(sentence, done, total) {
  return make(
    "div",
    { class: "progress" },
    make("p", { class: "quiet", "data-data": true }, sentence),
    total ? bar(done / total) : null,
  );
}

/** @param {{name: string, reason: string}[]} photos */
function skipped(photos) {
  return make(
    "details",
    { class: "skipped" },
    make("summary", {}, icon("down"), say("skipped", { count: photos.length })),
    make(
      "ul",
      {},
      ...photos.map(({ name, reason }) =>
        make("li", {}, make("bdi", {}, name), make("span", { class: "quiet", "data-data": true }, ` ${reason}`)),
      ),
    ),
  );
}
