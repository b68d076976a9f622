// Which photos are chosen, which one is the current one, and where a range began. Photos are known by their id.

export class Selection {
  /** @type {Set<string>} */
  chosen = new Set();
  /** @type {string | null} the current one */
  at = null;
  /** @type {string | null} where a range begins */
  from = null;
  /** @type {readonly string[]} */
  order = [];

  /** Other photos: those that are gone are not chosen any more, and the current one's place stays. @param {readonly string[]} order */
  arrange(order) {
    const place = this.at === null ? -1 : this.order.indexOf(this.at);
    const there = new Set(order);
    for (const id of this.chosen) if (!there.has(id)) this.chosen.delete(id);
    if (this.at !== null && !there.has(this.at))
      this.at = order[Math.min(Math.max(place, 0), order.length - 1)] ?? null;
    if (this.from !== null && !there.has(this.from)) this.from = this.at;
    this.order = order;
  }

  /** This one alone. @param {string} id */
  only(id) {
    this.chosen = new Set([id]);
    this.at = this.from = id;
  }

  /** This one too, or not any more. @param {string} id */
  toggle(id) {
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.at = this.from = id;
  }

  /** All from where the range began. @param {string} id */
  until(id) {
    const ends = [this.order.indexOf(this.from ?? id), this.order.indexOf(id)];
    this.chosen = new Set(this.order.slice(Math.min(...ends), Math.max(...ends) + 1));
    this.from = this.from ?? id;
    this.at = id;
  }

  all() {
    this.chosen = new Set(this.order);
  }

  none() {
    this.chosen = new Set();
  }

  /** The current one becomes another. @param {number} by places @param {boolean} isRange */
  step(by, isRange) {
    const place = this.at === null ? -1 : this.order.indexOf(this.at);
    const next = place < 0 ? 0 : Math.min(Math.max(place + by, 0), this.order.length - 1);
    const id = this.order[next];
    if (id === undefined) return;
    if (isRange) this.until(id);
    else this.at = this.from = id;
  }

  /** What a key is meant for: the chosen ones, else the current one. */
  get meant() {
    if (this.chosen.size) return this.order.filter((id) => this.chosen.has(id));
    return this.at === null ? [] : [this.at];
  }
}
