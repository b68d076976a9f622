// What is seen and read aloud. Nothing here knows where an answer comes from.

import { isolated, languageOf, shown, speaker } from "./words.js";

/** @typedef {import("./answers.js").Verdict} Verdict */
/** @typedef {import("./engine.js").Config} Config */

const asked = new URLSearchParams(location.search).get("lang");
const language = languageOf(asked === null ? navigator.languages : [asked, ...navigator.languages]);
const say = speaker(language);
const percent = new Intl.NumberFormat(navigator.language.startsWith(language) ? navigator.language : language, {
  style: "percent",
  maximumFractionDigits: 0,
});
const NAMED = 3; // classes that the first screen names
const LONG = 16; // letters, from where on a name is set smaller
const STEADY = 1000; // milliseconds that an answer stays before it is read aloud

/** @param {string} id @returns {HTMLElement} */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found;
}

/** @param {Config} config */
export function translate({ labels }) {
  document.documentElement.lang = language;
  document.title = say("title");
  for (const each of document.querySelectorAll("[data-words]")) {
    if (each instanceof HTMLElement) each.textContent = say(each.dataset["words"] ?? "");
  }
  const list = new Intl.ListFormat(language, { type: "conjunction" });
  const names = labels.slice(0, labels.length > NAMED + 1 ? NAMED : labels.length).map(isolated);
  const rest = labels.length - names.length;
  const all = rest ? say("more", { names: names.join(", "), count: String(rest) }) : list.format(names);
  element("classes").textContent = say("classes", { names: all });
  element("file").setAttribute("aria-label", say("photo"));
}

/** @param {"start" | "live" | "frozen" | "photo"} view */
export function showView(view) {
  document.body.dataset["view"] = view;
  const isStill = view === "frozen" || view === "photo";
  element("freeze-text").textContent = say(isStill ? "resume" : "freeze");
  if (view !== "live") {
    element("torch").hidden = true;
    element("rate").textContent = "";
    frames.length = 0;
  }
}

/** @param {string | null} key of words.js @param {Record<string, string>} values */
export function showNotice(key, values = {}) {
  element("notice").hidden = key === null;
  element("notice").textContent = key === null ? "" : say(key, values);
}

/** @param {number | null} share of what is fetched; null when it is there */
export function showProgress(share) {
  element("loading").hidden = share === null;
  if (share === null) return;
  element("loading-text").textContent = say("loading", { percent: percent.format(share) });
  fill(element("loading-bar"), share);
}

/** @param {boolean} onPhone @param {boolean} isKept whether it works without a network */
export function showPrivate(onPhone, isKept) {
  element("private").classList.toggle("sent", !onPhone);
  const key = onPhone ? (isKept ? "offline" : "private") : "sent";
  element("private-text").textContent = say(key, { host: location.host });
}

/**
 * @param {Verdict | null} verdict null while there is none
 * @param {boolean} isFinal whether no other follows, so that it is read aloud at once
 */
export function showAnswer(verdict, isFinal = false) {
  const [first, ...others] = verdict?.top ?? [];
  const isUnknown = verdict?.unknown ?? false;
  element("answer").classList.toggle("unknown", isUnknown);
  const name = first === undefined ? "" : isUnknown ? say("unknown") : shown(first.label);
  setText(element("name"), name || say("looking"));
  element("name").parentElement?.classList.toggle("long", name.length > LONG);
  setText(element("share"), first && !isUnknown ? percent.format(first.probability) : "");
  fill(element("bar"), first?.probability ?? 0);
  setText(element("why"), first && isUnknown ? say("nearest", { name: isolated(first.label) }) : "");
  showOthers(others);
  if (verdict === null || first === undefined) announce("", true);
  else announce(isUnknown ? say("saidUnknown") : shown(first.label), isFinal, isUnknown ? "" : percent.format(first.probability));
}

/** @param {import("./answers.js").Answer[]} others */
function showOthers(others) {
  const list = element("others");
  while (list.children.length < others.length) list.append(row());
  while (list.children.length > others.length) list.lastChild?.remove();
  others.forEach(({ label, probability }, index) => {
    const [name, bar, share] = list.children[index]?.children ?? [];
    if (name && share && bar?.firstElementChild instanceof HTMLElement) {
      setText(name, shown(label));
      fill(bar.firstElementChild, probability);
      setText(share, percent.format(probability));
    }
  });
}

function row() {
  const item = document.createElement("li");
  const bar = document.createElement("div");
  bar.className = "bar";
  bar.append(document.createElement("span"));
  const share = document.createElement("span");
  share.className = "share";
  item.append(document.createElement("bdi"), bar, share);
  return item;
}

/** @type {number[]} */
const frames = [];

/** How many answers there were in the last second. @param {number} now in milliseconds */
export function showRate(now) {
  frames.push(now);
  while ((frames[0] ?? now) < now - 1000) frames.shift();
  document.body.dataset["rate"] = String(frames.length);
  setText(element("rate"), say("rate", { count: String(frames.length) }));
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let heard = "";

/** Read aloud what stays: not every name that passes by. @param {string} name @param {boolean} atOnce @param {string} share */
function announce(name, atOnce, share = "") {
  if (name === heard && !atOnce) return;
  heard = name;
  clearTimeout(timer);
  const speak = () => setText(element("said"), name && share ? say("said", { name, percent: share }) : name);
  if (atOnce) speak();
  else timer = setTimeout(speak, STEADY);
}

/** @param {Element} where @param {string} text */
function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/** @param {HTMLElement} bar @param {number} share */
function fill(bar, share) {
  bar.style.transform = `scaleX(${Math.max(0, Math.min(1, share))})`;
}
