// Elements: made, found and redrawn. Text is always text: names of photos and classes may hold markup.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, unknown>} Attributes */
/** @typedef {Node | string | null | undefined | false} Child */

/** @param {string} id @returns {HTMLElement} */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found;
}

/**
 * A new element: `onclick` and its like are listened to, `class` and all others are attributes; true is an empty one.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Attributes} attributes @param {Child[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map(asNode));
  return made;
}

/** @param {Child} child @returns {Node | string} */
function asNode(child) {
  return /** @type {Node | string} */ (child);
}

/**
 * A new element of a drawing.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag @param {Record<string, string | number>} attributes @param {Node[]} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes = {}, ...children) {
  const made = /** @type {SVGElementTagNameMap[K]} */ (document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** @type {WeakMap<Element, string>} */
const drawn = new WeakMap();
/** What is pressed just now: a button that is replaced between press and release is never clicked. @type {Element | null} */
let pressed = null;
/** @type {Map<HTMLElement, () => void>} */
const waiting = new Map();
const isClickable = "button, a, summary"; // a list that folds out takes its release for itself
document.addEventListener(
  "pointerdown",
  ({ target }) => {
    pressed = target instanceof Element ? target.closest(isClickable) : null;
  },
  true,
);
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => setTimeout(released), true);

function released() {
  pressed = null;
  const late = [...waiting.values()];
  waiting.clear();
  for (const each of late) each();
}

/**
 * What is in an element, anew, if `of` (whatever it is drawn from) is other than the last time. Whatever had the focus
 * and is there again, by its id or its `data-key`, has it again; else the element's first heading has it.
 * @param {HTMLElement} where @param {unknown} of @param {() => Child[]} build
 */
export function redraw(where, of, build) {
  const signature = JSON.stringify(of);
  if (drawn.get(where) === signature) return false;
  if (pressed && where.contains(pressed)) {
    waiting.set(where, () => redraw(where, of, build));
    return false;
  }
  drawn.set(where, signature);
  const focused = document.activeElement;
  const had = focused instanceof HTMLElement && where.contains(focused) ? keyOf(focused) : null;
  const scrolled = where.scrollTop;
  where.replaceChildren(
    ...build()
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map(asNode),
  );
  where.scrollTop = scrolled;
  if (had !== null) refocus(where, had);
  return true;
}

/** @param {HTMLElement} focused */
function keyOf(focused) {
  return focused.dataset["key"] ?? focused.id;
}

/** @param {HTMLElement} where @param {string} key */
function refocus(where, key) {
  const all = /** @type {HTMLElement[]} */ ([...where.querySelectorAll("[data-key], [id]")]);
  const same = key ? all.find((each) => keyOf(each) === key) : undefined;
  if (same) {
    same.focus({ preventScroll: true });
    if (document.activeElement === same) return;
  }
  const heading = /** @type {HTMLElement | null} */ (where.querySelector("h2, h3")) ?? where;
  if (!heading.hasAttribute("tabindex")) heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** @param {HTMLElement} bar @param {number} share 0..1 */
export function fill(bar, share) {
  bar.style.transform = `scaleX(${Math.max(0, Math.min(1, share))})`;
}

/** A bar that is filled to a share. @param {number} share @param {string} kind */
export function bar(share, kind = "") {
  const inner = make("span");
  fill(inner, share);
  return make("span", { class: `bar ${kind}`, "aria-hidden": "true" }, inner);
}

/** @param {Element} where @param {string} text */
export function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
