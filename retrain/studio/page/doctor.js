// What the doctor found: cards with photos side by side, a sentence, and a decision for each.

import { decide, start } from "./actions.js";
import { get, large, thumbnail } from "./api.js";
import { opened } from "./dialogs.js";
import { make, redraw } from "./dom.js";
import { percent, say } from "./say.js";
import { store } from "./store.js";
import { complain } from "./toasts.js";
import { isolated, shown } from "/shared/words.js";

/** @typedef {import("../../../web/studio.js").Card} Card */
/** @typedef {import("../../../web/studio.js").Examination} Examination */

const AT_ONCE = 24; // cards of a section

/** @type {Examination | null} */
let found = null;
let foundOf = ""; // which examination that was
let fetched = 0; // how often
let isAsked = false;
/** @type {Map<string, string>} what was decided, by section and photo */
const decided = new Map();
/** @type {Set<string>} sections that are shown whole */
const whole = new Set();

/** @param {HTMLElement} where */
export function showDoctor(where) {
  const state = store.state;
  if (state === null) return;
  const of = state.doctor === null ? "" : `${state.doctor.number} ${state.version}`;
  if (of && of !== foundOf && state.work?.kind !== "examine") void fetchFound(of, where);
  draw(where);
}

/** @param {string} of @param {HTMLElement} where */
async function fetchFound(of, where) {
  if (isAsked) return;
  isAsked = true;
  try {
    foundOf = of;
    found = await get("doctor");
    fetched++;
    decided.clear();
  } catch (error) {
    complain(error);
  } finally {
    isAsked = false;
  }
  showDoctor(where); // it may be another one by now
}

/** @param {HTMLElement} where */
function draw(where) {
  const { state } = store;
  const place = cards(where).findIndex((card) => card.contains(document.activeElement));
  const work = state?.work?.kind === "examine" ? state.work : null;
  redraw(where, [fetched, state?.doctor, [...decided], [...whole], work, store.photos.length], () => [
    make("p", { class: "quiet" }, say("doctorText")),
    make(
      "p",
      {},
      make(
        "button",
        {
          type: "button",
          class: found ? "" : "main",
          "data-key": "examine",
          "aria-disabled": work !== null || null,
          onclick: () => work === null && void start("examine"),
        },
        say(found ? "checkAgain" : "check"),
      ),
      work
        ? make(
            "span",
            { class: "quiet", "data-data": true },
            ` ${work.sentence}${work.total ? ` ${percent(work.done / work.total)}` : ""}`,
          )
        : null,
    ),
    ...(found === null || state?.doctor === null ? [] : findings(found, state?.doctor?.isCurrent ?? false)),
  ]);
  // The next card has the focus once the one that had it is decided.
  const now = cards(where);
  if (place >= 0 && !document.activeElement?.closest(".finding")) now[Math.min(place, now.length - 1)]?.focus();
}

/** @param {HTMLElement} where @returns {HTMLElement[]} */
function cards(where) {
  return [...where.querySelectorAll(".finding")].filter((each) => each instanceof HTMLElement);
}

/** @param {Examination} examination @param {boolean} isCurrent */
function findings({ sections, remarks, shortcut }, isCurrent) {
  return [
    isCurrent ? null : make("p", { class: "quiet" }, say("doctorStale")),
    shortcut?.suspicious ? make("p", { class: "remark warning", "data-data": true }, shortcut.sentence) : null,
    sections.length === 0 ? make("p", { class: "done" }, say("nothingFound")) : null,
    ...sections.map((section) => {
      const cards = whole.has(section.kind) ? section.cards : section.cards.slice(0, AT_ONCE);
      const rest = section.cards.length - cards.length;
      return make(
        "section",
        { "aria-labelledby": `found-${section.kind}` },
        make(
          "h3",
          { id: `found-${section.kind}`, "data-data": true },
          section.heading,
          " ",
          make("span", { class: "badge" }, String(section.number)),
        ),
        make("p", { class: "quiet", "data-data": true }, section.advice),
        make("div", { class: "cards" }, ...cards.map((card) => cardOf(card, section.kind))),
        rest > 0
          ? make(
              "p",
              {},
              make(
                "button",
                { type: "button", "data-key": `whole-${section.kind}`, onclick: () => showWhole(section.kind) },
                say("showRest", { count: rest }),
              ),
            )
          : null,
      );
    }),
    ...remarks.map((remark) => make("p", { class: "remark", "data-data": true }, remark)),
  ];
}

/** @param {string} kind */
function showWhole(kind) {
  whole.add(kind);
  store.tell("view");
}

/** @param {Card} card @param {string} kind */
function cardOf(card, kind) {
  const { id } = card;
  const key = `${kind} ${id ?? card.sentence}`;
  const done = decided.get(key);
  const act = (/** @type {string} */ action) => {
    decided.set(key, action);
    if (id !== null) void decide([id], kind, action);
    store.tell("view");
  };
  const buttons = card.choices.map((action) =>
    make(
      "button",
      {
        type: "button",
        "data-key": `${key} ${action}`,
        "data-action": action.startsWith("relabel:") ? "relabel" : action,
        class: action === card.suggestion && action !== "keep" ? "suggested" : "",
        disabled: done !== undefined,
        "aria-pressed": done === undefined ? null : String(done === action),
        onclick: () => act(action),
      },
      nameOf(action),
    ),
  );
  const made = make(
    "article",
    {
      class: done === undefined ? "finding" : "finding decided",
      tabindex: "0",
      "data-key": key,
      "aria-labelledby": `told-${kind}-${id}`,
    },
    make(
      "div",
      { class: card.related.length ? "pair" : "pair one" },
      id === null ? null : pictureOf(id, card.label, null),
      ...card.related.slice(0, 3).map(({ id, label, relation }) => pictureOf(id, label, relation)),
    ),
    make("p", { id: `told-${kind}-${id}`, "data-data": true }, card.sentence),
    make("div", { class: "choices" }, ...buttons),
  );
  made.addEventListener("keydown", (event) => pressed(event, made, card, done === undefined ? act : null));
  return made;
}

/** @param {string} action */
function nameOf(action) {
  const label = action.startsWith("relabel:") ? action.slice("relabel:".length) : null;
  return label === null ? say(action === "keep" ? "keep" : "remove") : say("relabel", { label: isolated(label) });
}

/** @param {string | null} id @param {string | null} label @param {string | null} relation */
function pictureOf(id, label, relation) {
  const photo = id === null ? undefined : store.byId.get(id);
  const look = () => opened(shown(photo?.name ?? ""), [make("img", { src: large(id ?? ""), alt: "" })], "large");
  const caption = make(
    "span",
    { class: "small" },
    relation ? make("span", { class: "quiet", "data-data": true }, `${relation} `) : null,
    make("bdi", {}, shown(label ?? "")),
  );
  if (photo === undefined || id === null)
    return make("div", { class: "of" }, make("span", { class: "gone" }, say("gone")), caption);
  const image = make("img", { src: thumbnail(id, photo.mtime), alt: "", loading: "lazy" });
  return make(
    "div",
    { class: "of" },
    make(
      "button",
      { type: "button", class: "enlarge", tabindex: "-1", "aria-label": say("enlarge"), onclick: look },
      image,
    ),
    caption,
  );
}

/**
 * Arrows go from card to card; Enter does what is suggested, Delete removes, Escape or K keeps.
 * @param {KeyboardEvent} event @param {HTMLElement} card @param {Card} of @param {((action: string) => void) | null} act
 */
function pressed(event, card, of, act) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const all = cards(document.body);
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const isOnCard = event.target === card;
  const next = all[all.indexOf(card) + (step ?? 1)];
  const has = (/** @type {string} */ action) => act !== null && of.choices.includes(action);
  if (step !== undefined) next?.focus();
  else if (event.key === "Enter" && isOnCard && has(of.suggestion)) act?.(of.suggestion);
  else if (event.key === "Delete" && has("remove")) act?.("remove");
  else if (event.key.toLowerCase() === "k" && has("keep")) act?.("keep");
  else return;
  event.preventDefault();
}
