// A burst of photos by a camera: four a second, as long as a button is held.

const EVERY = 250; // milliseconds between two photos
const QUALITY = 0.92;

export class Burst {
  /** @type {(file: File, place: number) => void} what is done with each photo */
  taken = () => {};
  /** @type {() => boolean} whether the next photo has to wait, since too many are on their way */
  isFull = () => false;
  /** @type {(count: number) => void} */
  ended = () => {};
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;
  #time = "";
  #count = 0;
  /** @type {HTMLElement | null} */
  #button = null;

  /** @param {HTMLVideoElement} video @param {string} kind what begins the names of its photos */
  constructor(video, kind) {
    this.video = video;
    this.kind = kind;
  }

  /** Take photos as long as this button is held: by a pointer, the space bar or Enter. @param {HTMLElement} button */
  hold(button) {
    this.#button = button;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      this.begin();
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"])
      button.addEventListener(end, () => this.release());
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      if (!event.repeat) this.begin();
    });
    button.addEventListener("keyup", (event) => {
      if (event.key === " " || event.key === "Enter") this.release();
    });
  }

  begin() {
    if (this.#ticking !== undefined) return;
    this.#time = stamp(new Date());
    this.#count = 0;
    this.#button?.classList.add("held");
    this.#ticking = setInterval(() => void this.#take(), EVERY);
    void this.#take();
  }

  release() {
    if (this.#ticking === undefined) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
    this.#button?.classList.remove("held");
    this.ended(this.#count);
  }

  /** All photos of one burst have its time in their names: they are one scene, and stay on one side of a split. */
  async #take() {
    const { video } = this;
    if (video.readyState < 2 || this.isFull()) return;
    const place = ++this.#count;
    const named = `${this.kind}-${this.#time}_nohash_${String(place).padStart(2, "0")}.jpg`;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    const data = await new Promise((/** @type {(data: Blob | null) => void} */ done) =>
      canvas.toBlob(done, "image/jpeg", QUALITY),
    );
    if (data !== null) this.taken(new File([data], named, { type: "image/jpeg" }), place);
  }
}

/** 20261128-225501, of the clock on the wall. @param {Date} now */
export function stamp(now) {
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
