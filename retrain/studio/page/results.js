// What a training came to: how often it is right, where it is not, and what more photos would bring.

import { large, thumbnail } from "./api.js";
import { moreOf } from "./charts.js";
import { confusionOf } from "./confusion.js";
import { bar, make } from "./dom.js";
import { icon } from "./icons.js";
import { finePercent, number, percent, points, say, tenths } from "./say.js";
import { store } from "./store.js";
import { opened } from "./dialogs.js";
import { isolated, shown } from "/shared/words.js";

/** @typedef {import("../../../web/studio.js").Training} Training */

const MISTAKES = 12; // that are shown at once

/** @param {Training} training */
export function resultOf(training) {
  const { accuracy, interval, photos, seconds, remarks, confusion, classes } = training;
  return [
    ...(accuracy === null ? [make("p", { class: "lead" }, say("accuracyNone"))] : rightIn(accuracy, interval)),
    make("p", { class: "quiet small" }, say("trainedOn", { count: photos, seconds: tenths(seconds) })),
    ...remarks.map((remark) => make("p", { class: "remark", "data-data": true }, remark)),
    fold("mistakes", say("mistakes"), number(wrong(training)), mistakesOf(training)),
    fold("perClass", say("perClass"), "", [perClass(training)]),
    fold("confusion", say("confusion"), "", confusionOf(confusion, classes)),
    training.more === null ? null : fold("more", say("more"), "", moreFor(training)),
  ];
}

/** How often it is right. @param {number} accuracy @param {[number, number] | null} interval */
function rightIn(accuracy, interval) {
  return [
    make("p", { class: "figure" }, finePercent(accuracy)),
    make("p", { class: "lead" }, say("accuracyIs")),
    interval ? range(accuracy, interval) : null,
    make("p", { class: "words" }, inWords(accuracy, interval)),
  ];
}

const NARROW = "(max-width: 999px)";
/** What is folded open: where there is one column, all. @type {Map<string, boolean>} */
const isOpen = new Map();

/** @param {string} key @param {string} title @param {string} count @param {(Node | null)[]} children */
function fold(key, title, count, children) {
  const heading = make("h3", {}, title, count ? " " : null, count ? make("span", { class: "badge" }, count) : null);
  const made = make(
    "details",
    { class: "fold", open: isOpen.get(key) ?? matchMedia(NARROW).matches },
    make("summary", { "data-key": `fold-${key}` }, heading, icon("down")),
    ...children,
  );
  made.addEventListener("toggle", () => isOpen.set(key, made.open));
  return made;
}

/** @param {number} accuracy @param {[number, number] | null} interval */
function inWords(accuracy, interval) {
  const values = { of: number(100), about: number(Math.round(100 * accuracy)) };
  if (interval === null) return say("intervalNone", values);
  return say("intervalWords", {
    ...values,
    low: number(Math.floor(100 * interval[0])),
    high: number(Math.ceil(100 * interval[1])),
  });
}

/** @param {number} at @param {[number, number]} interval */
function range(at, [low, high]) {
  const reach = make("span", { class: "range" });
  reach.style.left = `${100 * low}%`;
  reach.style.width = `${100 * (high - low)}%`;
  const mark = make("span", { class: "at" });
  mark.style.left = `${100 * at}%`;
  return make(
    "div",
    { "aria-hidden": "true" },
    make("div", { class: "interval" }, reach, mark),
    make(
      "p",
      { class: "scale" },
      make("span", {}, percent(0)),
      make("span", {}, percent(0.5)),
      make("span", {}, percent(1)),
    ),
  );
}

/** @param {Training} training */
function perClass({ perClass: rows }) {
  return make(
    "dl",
    { class: "bars" },
    ...rows.map(({ label, photos, recall }) =>
      make(
        "div",
        {},
        make(
          "dt",
          {},
          make("bdi", {}, shown(label)),
          make("span", { class: "quiet small" }, ` ${say("photos", { count: photos })}`),
        ),
        make(
          "dd",
          {},
          recall === null ? make("span", { class: "quiet" }, say("moreUnknown")) : bar(recall),
          recall === null ? null : make("span", {}, percent(recall)),
        ),
      ),
    ),
  );
}

/** How many are taken for another class: more than the worst ones, which are shown. @param {Training} training */
function wrong({ confusion, mistakes }) {
  const all = confusion.flatMap((row, place) => row.filter((_, said) => said !== place));
  return Math.max(mistakes.length, Math.round(all.reduce((sum, each) => sum + each, 0)));
}

/** @param {Training} training */
function mistakesOf({ mistakes }) {
  if (mistakes.length === 0) return [make("p", {}, say("noMistakes"))];
  const all = () => store.look({ kind: "mistakes", label: null });
  return [
    make("p", { class: "quiet small" }, say("mistakesHelp")),
    make("ul", { class: "mistakes" }, ...mistakes.slice(0, MISTAKES).map(mistake)),
    mistakes.length > MISTAKES
      ? make(
          "p",
          {},
          make(
            "button",
            { type: "button", "data-key": "mistakes", onclick: all },
            say("allMistakes", { count: mistakes.length }),
          ),
        )
      : null,
  ];
}

/** @param {import("../../../web/studio.js").Mistake} mistake */
function mistake([id, given, said, probability]) {
  const photo = store.byId.get(id);
  const image = photo
    ? make("img", { src: thumbnail(id, photo.mtime), alt: "", loading: "lazy" })
    : make("span", { class: "gone" }, say("gone"));
  const look = () => {
    if (photo) opened(shown(photo.name), [make("img", { src: large(id), alt: "" }), make("p", {}, sentence)], "large");
  };
  const sentence = say("mistakeIs", { given: isolated(given), said: isolated(said), percent: percent(probability) });
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", class: "mistake", title: sentence, "data-key": `mistake-${id}`, onclick: look },
      image,
      make("span", { class: "hidden" }, sentence),
      make("span", { class: "given", "aria-hidden": "true" }, make("bdi", {}, shown(given))),
      make("span", { class: "said", "aria-hidden": "true" }, "→ ", make("bdi", {}, shown(said))),
    ),
  );
}

/** @param {Training} training */
function moreFor({ more }) {
  if (more === null) return [];
  const rows = more.classes.map(({ label, gain, low, high }) =>
    make(
      "tr",
      { class: low !== null && low > 0 ? "helps" : "" },
      make("th", { scope: "row" }, make("bdi", {}, shown(label))),
      ...(gain === null || low === null || high === null
        ? [make("td", { class: "quiet", colspan: "2" }, say("moreUnknown"))]
        : [
            make("td", {}, say("pointsIs", { points: points(gain) })),
            make("td", { class: "quiet" }, say("pointsRange", { low: points(low), high: points(high) })),
          ]),
    ),
  );
  const { twice } = more;
  const isTold = twice.gain !== null && twice.low !== null && twice.high !== null;
  const best = more.classes
    .filter(({ low }) => low !== null && low > 0)
    .sort((one, other) => (other.gain ?? 0) - (one.gain ?? 0))[0];
  return [
    isTold
      ? make(
          "p",
          { class: "words" },
          say("moreTwice", {
            points: points(twice.gain ?? 0),
            low: points(twice.low ?? 0),
            high: points(twice.high ?? 0),
          }),
        )
      : null,
    make(
      "p",
      { class: "words" },
      best ? say("moreBest", { label: isolated(best.label), points: points(best.gain ?? 0) }) : say("moreNone"),
    ),
    more.curve.length > 1 ? moreOf(more.curve) : null,
    rows.length
      ? make(
          "table",
          { class: "gains" },
          make("caption", {}, say("moreHelp")),
          make(
            "thead",
            {},
            make(
              "tr",
              {},
              make("th", { scope: "col" }, say("class")),
              make("th", { scope: "col" }, say("gain")),
              make("th", { scope: "col" }, say("likely")),
            ),
          ),
          make("tbody", {}, ...rows),
        )
      : null,
  ];
}
