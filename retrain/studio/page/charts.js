// Drawings of numbers: how training goes, and what more photos have brought.

import { draw, make } from "./dom.js";
import { number, percent, say } from "./say.js";

/** @typedef {import("../../../web/studio.js").Step} Step */
/** @typedef {import("../../../web/studio.js").CurvePoint} CurvePoint */

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [320, 150, 40, 10, 10, 24];

/**
 * Axes over 0..1 to the right, and from `low` to `high` upwards.
 * @param {number} low @param {number} high @param {string[]} ends what stands under both ends
 */
function axes(low, high, ends) {
  const x = (/** @type {number} */ share) => LEFT + share * (WIDTH - LEFT - RIGHT);
  const y = (/** @type {number} */ value) => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const lines = [low, (low + high) / 2, high].flatMap((value) => [
    draw("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
    text(percent(value), LEFT - 6, y(value) + 4, "end"),
  ]);
  const [first, last] = ends;
  return {
    x,
    y,
    parts: [...lines, text(first ?? "", LEFT, HEIGHT - 6, "start"), text(last ?? "", WIDTH - RIGHT, HEIGHT - 6, "end")],
  };
}

/** @param {string} said @param {number} x @param {number} y @param {string} anchor */
function text(said, x, y, anchor) {
  const made = draw("text", { x, y, "text-anchor": anchor });
  made.textContent = said;
  return made;
}

/** @param {readonly (readonly [number, number])[]} points */
function path(points) {
  return points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** The accuracy while it trains. @param {readonly Step[]} steps */
export function curveOf(steps) {
  const total = Math.max(1, steps.at(-1)?.total ?? 1);
  const low = Math.min(0.5, Math.floor(10 * Math.min(...steps.map(({ accuracy }) => accuracy))) / 10);
  const { x, y, parts } = axes(low, 1, [say("step", { count: steps[0]?.step ?? 1 }), say("step", { count: total })]);
  const points = steps.map(({ step, accuracy }) => /** @type {const} */ ([x(step / total), y(accuracy)]));
  return make(
    "figure",
    {},
    drawing(say("curveIs"), ...parts, draw("path", { class: "line", d: path(points) })),
    make("figcaption", {}, say("curveIs")),
  );
}

/** The accuracy with so many photos, and how sure that is. @param {readonly CurvePoint[]} points */
export function moreOf(points) {
  const most = Math.max(1, ...points.map(({ photos }) => photos));
  const low = Math.max(0, Math.floor(10 * Math.min(...points.map((each) => each.low))) / 10);
  const { x, y, parts } = axes(low === 1 ? 0.9 : low, 1, [number(0), say("photos", { count: most })]);
  const at = points.map(({ photos, accuracy }) => /** @type {const} */ ([x(photos / most), y(accuracy)]));
  const upper = points.map((each) => /** @type {const} */ ([x(each.photos / most), y(each.high)]));
  const lower = points.map((each) => /** @type {const} */ ([x(each.photos / most), y(each.low)])).reverse();
  const dots = at.map(([cx, cy]) => draw("circle", { class: "dot", cx, cy, r: 3.5 }));
  const told = points.map(({ photos, accuracy }) => `${number(photos)}: ${percent(accuracy)}`).join(", ");
  return drawing(
    `${say("moreIs")} ${told}`,
    ...parts,
    draw("path", { class: "reach", d: `${path([...upper, ...lower])}Z` }),
    draw("path", { class: "line", d: path(at) }),
    ...dots,
  );
}

/** @param {string} label @param {SVGElement[]} parts */
function drawing(label, ...parts) {
  return draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": label }, ...parts);
}
