// Thousands of photos, of which only those that are seen are elements: used again for others when they scroll away.

import { thumbnail } from "./api.js";
import { make, setText } from "./dom.js";
import { icon } from "./icons.js";
import { percent, say } from "./say.js";
import { shown } from "/shared/words.js";

/** @typedef {import("../../../web/studio.js").Photo} Photo */
/** @typedef {import("../../../web/studio.js").Guess} Guess */
/** @typedef {{root: HTMLElement, image: HTMLImageElement, caption: HTMLElement, name: HTMLElement, share: HTMLElement, id: string, source: string, of: string}} Tile */

const GAP = 8;
const CAPTION = 44; // height of what stands below a photo
const BEYOND = 2; // rows that are made ready above and below
const FAST = 6; // pixels a millisecond from where on photos only pass by: they are fetched once it is slower
const SETTLED = 90; // milliseconds without scrolling

export class Grid {
  /** @type {readonly Photo[]} */
  photos = [];
  /** @type {Map<number, Tile>} by the place of their photo */
  tiles = new Map();
  /** @type {Tile[]} */
  spare = [];
  /** @type {(photo: Photo) => Guess | undefined} */
  guessOf = () => undefined;
  caption = /** @type {"none" | "class" | "guess"} */ ("none");
  columns = 1;
  side = 100;
  covered = () => 0; // pixels above that something lies over
  drawing = 0; // another one whenever all tiles are to be drawn anew
  isDue = false;
  lastTop = 0;
  lastAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  settling;

  /**
   * @param {HTMLElement} root the list @param {HTMLElement} scroller what scrolls it
   * @param {import("./selection.js").Selection} selection
   */
  constructor(root, scroller, selection) {
    this.root = root;
    this.scroller = scroller;
    this.selection = selection;
    scroller.addEventListener("scroll", () => this.due(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(root);
    new ResizeObserver(() => this.due()).observe(scroller);
  }

  /** @param {readonly Photo[]} photos @param {Grid["caption"]} caption */
  show(photos, caption) {
    this.photos = photos;
    this.caption = caption;
    this.selection.arrange(photos.map(({ id }) => id));
    this.measure();
  }

  measure() {
    const width = this.root.clientWidth;
    if (width === 0 && this.photos.length) return; // not seen now
    const least = this.caption === "guess" ? 150 : width < 500 ? 104 : 132;
    this.columns = Math.max(2, Math.floor((width + GAP) / (least + GAP)));
    this.side = (width - GAP * (this.columns - 1)) / this.columns;
    const rows = Math.ceil(this.photos.length / this.columns);
    this.drawing++;
    this.root.style.height = `${Math.max(0, rows * this.pitch - GAP)}px`;
    this.update();
  }

  get pitch() {
    return this.side + (this.caption === "none" ? 0 : CAPTION) + GAP;
  }

  due() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.update();
    });
  }

  update() {
    const now = performance.now();
    const top = this.scroller.scrollTop;
    const speed = Math.abs(top - this.lastTop) / Math.max(1, now - this.lastAt);
    this.lastTop = top;
    this.lastAt = now;
    const above = top - this.root.offsetTop;
    const first = Math.max(0, Math.floor(above / this.pitch) - BEYOND) * this.columns;
    const last = Math.min(
      this.photos.length,
      (Math.ceil((above + this.scroller.clientHeight) / this.pitch) + BEYOND) * this.columns,
    );
    for (const [place, tile] of this.tiles) {
      if (place < first || place >= last) {
        this.tiles.delete(place);
        this.spare.push(tile);
      }
    }
    const isFast = speed > FAST;
    for (let place = first; place < last; place++) this.#put(place, isFast);
    for (const tile of this.spare) {
      if (tile.root.isConnected) tile.root.remove();
    }
    this.spare.length = Math.min(this.spare.length, 6 * this.columns);
    if (isFast) {
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.update(), SETTLED);
    }
    this.mark();
  }

  /** @param {number} place @param {boolean} isFast */
  #put(place, isFast) {
    const photo = this.photos[place];
    if (photo === undefined) return;
    let tile = this.tiles.get(place);
    if (tile === undefined) {
      tile = this.spare.pop() ?? newTile();
      this.tiles.set(place, tile);
      if (!tile.root.isConnected) this.root.append(tile.root);
    }
    const source = thumbnail(photo.id, photo.mtime);
    if (tile.source !== source) {
      if (isFast) tile.image.removeAttribute("src");
      else tile.image.src = source;
      tile.source = isFast ? "" : source;
    }
    const of = `${place} ${photo.id} ${this.drawing}`;
    if (tile.of === of) return; // most of them are where they were
    tile.of = of;
    const { root } = tile;
    const x = (place % this.columns) * (this.side + GAP);
    const y = Math.floor(place / this.columns) * this.pitch;
    root.style.transform = `translate(${x}px, ${y}px)`;
    root.style.width = `${this.side}px`;
    root.style.height = `${this.pitch - GAP}px`;
    tile.id = photo.id;
    root.id = `photo-${photo.id}`;
    root.dataset["id"] = photo.id;
    root.setAttribute("aria-posinset", String(place + 1));
    root.setAttribute("aria-setsize", String(this.photos.length));
    this.#say(tile, photo);
  }

  /** @param {Tile} tile @param {Photo} photo */
  #say(tile, photo) {
    const guess = this.caption === "guess" ? this.guessOf(photo) : undefined;
    const label = photo.label === null ? say("unlabelled") : shown(photo.label);
    tile.caption.hidden = this.caption === "none";
    tile.root.classList.toggle("guessed", guess !== undefined);
    tile.root.classList.toggle("sure", guess !== undefined && !guess.isUnknown && guess.probability >= 0.9);
    setText(tile.name, guess === undefined ? label : guess.isUnknown ? say("unknown") : shown(guess.label));
    setText(tile.share, guess === undefined || guess.isUnknown ? "" : percent(guess.probability));
    tile.image.alt = shown(photo.name.split("/").pop() ?? photo.name);
    tile.root.title = photo.name;
  }

  /** What is chosen and what is current, on the tiles that there are. */
  mark() {
    const { chosen, at } = this.selection;
    let current = "";
    for (const { root, id } of this.tiles.values()) {
      const isChosen = String(chosen.has(id));
      if (root.getAttribute("aria-selected") !== isChosen) root.setAttribute("aria-selected", isChosen);
      if (root.classList.contains("at") !== (id === at)) root.classList.toggle("at");
      if (id === at) current = root.id;
    }
    if (current) this.root.setAttribute("aria-activedescendant", current);
    else this.root.removeAttribute("aria-activedescendant");
    this.root.classList.toggle("choosing", chosen.size > 0);
  }

  /** Scroll so that the current photo is seen. */
  reveal() {
    const place = this.photos.findIndex(({ id }) => id === this.selection.at);
    if (place >= 0) {
      const top = this.root.offsetTop + Math.floor(place / this.columns) * this.pitch;
      const under = this.covered();
      const { scrollTop, clientHeight } = this.scroller;
      if (top - under < scrollTop) this.scroller.scrollTop = top - under - GAP;
      else if (top + this.pitch > scrollTop + clientHeight) this.scroller.scrollTop = top + this.pitch - clientHeight;
    }
    this.update();
  }
}

/** @returns {Tile} */
function newTile() {
  const image = make("img", { alt: "", decoding: "async", draggable: "false" });
  image.addEventListener("load", () => image.classList.remove("gone"));
  image.addEventListener("error", () => image.classList.add("gone"));
  const name = make("bdi");
  const share = make("span", { class: "share" });
  const caption = make("span", { class: "caption" }, name, share);
  const root = make(
    "div",
    { role: "option", class: "tile", draggable: "true" },
    image,
    make("span", { class: "tick" }, icon("check")),
    caption,
  );
  return { root, image, caption, name, share, id: "", source: "", of: "" };
}
