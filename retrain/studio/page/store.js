// What the page knows: the server's state, the photos, the guesses, and what of them is looked at.

import { get } from "./api.js";

/** @typedef {import("../../../web/studio.js").State} State */
/** @typedef {import("../../../web/studio.js").Photo} Photo */
/** @typedef {import("../../../web/studio.js").Guess} Guess */
/** @typedef {import("../../../web/studio.js").Step} Step */
/** @typedef {import("../../../web/studio.js").View} View */
/** @typedef {"state" | "photos" | "view" | "curve" | "guesses"} What */

class Store {
  /** @type {State | null} */
  state = null;
  /** @type {Photo[]} newest first */
  photos = [];
  /** @type {Map<string, Photo>} */
  byId = new Map();
  /** @type {Guess[]} the most uncertain first */
  guesses = [];
  /** @type {Step[]} of the training that runs, or ran last */
  curve = [];
  /** @type {View} */
  view = kept();
  /** @type {Set<string>} photos that are being moved or removed: not shown until the server has said what became of them */
  leaving = new Set();

  /** @type {Map<What, (() => void)[]>} */
  #listeners = new Map();
  isListed = false; // whether the photos are known
  #listed = ""; // version of the photos
  #isStale = false;
  /** @type {Promise<void> | null} */
  #listing = null;
  #guessed = "";

  /** Be told of changes. @param {What} what @param {() => void} listener */
  on(what, listener) {
    this.#listeners.set(what, [...(this.#listeners.get(what) ?? []), listener]);
  }

  /** @param {What} what */
  tell(what) {
    for (const listener of this.#listeners.get(what) ?? []) listener();
  }

  /** Whether there is nothing in the folder yet. */
  get isNew() {
    const { state } = this;
    return state !== null && state.classes.length === 0 && state.unlabelled === 0;
  }

  get classes() {
    return this.state?.classes.map(({ name }) => name) ?? [];
  }

  /** The class that new photos go into where none is said; null: unlabelled. */
  get target() {
    return this.view.kind === "class" ? this.view.label : null;
  }

  /** @param {State} state */
  take(state) {
    this.state = state;
    const { kind, label } = this.view;
    if (kind === "class" && label !== null && !this.classes.includes(label)) this.view = { kind: "all", label: null };
    this.tell("state");
    if (state.version !== this.#listed) void this.list();
    void this.guess();
  }

  /** Fetch the photos as they are from now on. */
  list() {
    this.#isStale = true;
    this.#listing ??= this.#listAll().finally(() => {
      this.#listing = null;
    });
    return this.#listing;
  }

  async #listAll() {
    while (this.#isStale) {
      this.#isStale = false;
      try {
        const { version, photos, classes } = await get("photos");
        this.#listed = version;
        this.isListed = true;
        this.#show(photos, classes);
      } catch {
        this.#listed = ""; // the next state asks again
      }
    }
  }

  /** @param {[string, number, string, number][]} rows @param {string[]} classes */
  #show(rows, classes) {
    this.photos = rows.map(([id, place, name, mtime]) => ({ id, label: classes[place] ?? null, name, mtime }));
    this.photos.sort((one, other) => other.mtime - one.mtime || (one.name < other.name ? -1 : 1));
    this.byId = new Map(this.photos.map((photo) => [photo.id, photo]));
    this.tell("photos");
  }

  /** Fetch the guesses, if they are looked at and other ones than before. */
  async guess() {
    const { state, view } = this;
    const of = `${state?.version} ${state?.guesses} ${state?.training?.seconds} ${state?.training?.accuracy}`;
    if (view.kind !== "unlabelled" || of === this.#guessed) return;
    this.#guessed = of;
    if (state?.guesses === null || state === null) this.guesses = [];
    else {
      try {
        const { guesses } = await get("guesses");
        this.guesses = guesses.map((/** @type {[string, string, number, boolean]} */ row) => {
          const [id, label, probability, isUnknown] = row;
          return { id, label, probability, isUnknown };
        });
      } catch {
        this.guesses = []; // not yet: the next state asks again
        this.#guessed = "";
      }
    }
    this.tell("guesses");
  }

  /** @param {View} view */
  look(view) {
    this.view = view;
    keep(view);
    this.tell("view");
    void this.guess();
  }

  /** @param {Step} step */
  step(step) {
    if (step.step <= (this.curve.at(-1)?.step ?? 0)) this.curve = [];
    this.curve.push(step);
    this.tell("curve");
  }

  /** What is looked at, in its order. */
  get shown() {
    const { kind, label } = this.view;
    const here = this.photos.filter(({ id }) => !this.leaving.has(id));
    if (kind === "class") return here.filter((photo) => photo.label === label);
    if (kind === "mistakes") {
      const wrong = new Set(this.state?.training?.mistakes.map(([id]) => id));
      return here.filter(({ id }) => wrong.has(id));
    }
    if (kind !== "unlabelled") return here;
    const place = new Map(this.guesses.map(({ id }, index) => [id, index]));
    const rank = (/** @type {Photo} */ photo) => place.get(photo.id) ?? place.size;
    return here.filter((photo) => photo.label === null).sort((one, other) => rank(one) - rank(other));
  }
}

const KEPT = "retrain-studio-view";

/** Kept for this tab: a page that is loaded again shows what it showed. @param {View} view */
function keep(view) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(view));
  } catch {
    // then it begins with all photos
  }
}

/** @returns {View} */
function kept() {
  try {
    const { kind, label } = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    if (["class", "unlabelled", "doctor"].includes(kind))
      return { kind, label: kind === "class" ? String(label) : null };
  } catch {
    // nothing is kept
  }
  return { kind: "all", label: null };
}

export const store = new Store();
