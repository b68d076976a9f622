// What a model's numbers mean: probabilities in order, and whether it is none of the classes.

/** @typedef {{dtype: string, scale?: number, zero?: number}} Output */
/** @typedef {{label: string, probability: number}} Answer */
/** @typedef {{top: Answer[], unknown: boolean, similarity: number | null}} Verdict */
/** @typedef {{scores: ArrayLike<number>, similarity: number | null}} Outputs */

export const TOP = 3;
const MEMORY = 300; // milliseconds in which half of what was seen is forgotten

/**
 * What a tensor's values stand for, to the bit as `label_image` computes it: in float32.
 * @param {ArrayLike<number>} values @param {Output} output
 */
export function dequantised(values, output) {
  const { scale, zero } = output;
  if (scale === undefined || zero === undefined) return Float32Array.from(values);
  return Float32Array.from(values, (value) => (value - zero) * scale);
}

/**
 * The verdict of some outputs: the most probable labels, of equal ones the first; unknown by the similarity alone.
 * @param {Outputs} outputs @param {readonly string[]} labels @param {number | null} threshold
 * @returns {Verdict}
 */
export function verdictOf({ scores, similarity }, labels, threshold) {
  const order = Array.from(labels, (_, index) => index);
  order.sort((one, other) => (scores[other] ?? 0) - (scores[one] ?? 0) || one - other);
  const top = order.slice(0, TOP).map((index) => ({ label: labels[index] ?? "", probability: scores[index] ?? 0 }));
  const unknown = threshold !== null && similarity !== null && similarity < Math.fround(threshold);
  return { top, unknown, similarity };
}

/** Outputs of one frame after the other as a steady one: the older a frame, the less it counts. */
export class Steadied {
  constructor() {
    /** @type {{scores: Float64Array, similarity: number | null, weight: number, at: number} | null} */
    this.kept = null;
  }

  forget() {
    this.kept = null;
  }

  /** @param {Outputs} outputs @param {number} now in milliseconds @returns {Outputs} */
  with(outputs, now) {
    const before = this.kept;
    if (before === null || before.scores.length !== outputs.scores.length) {
      this.kept = { scores: Float64Array.from(outputs.scores), similarity: outputs.similarity, weight: 1, at: now };
      return outputs;
    }
    const old = before.weight * 0.5 ** ((now - before.at) / MEMORY);
    const mixed = (/** @type {number} */ one, /** @type {number} */ other) => (one * old + other) / (old + 1);
    const scores = before.scores.map((score, index) => mixed(score, outputs.scores[index] ?? 0));
    const known = before.similarity !== null && outputs.similarity !== null;
    const similarity = known ? mixed(before.similarity ?? 0, outputs.similarity ?? 0) : outputs.similarity;
    this.kept = { scores, similarity, weight: old + 1, at: now };
    return { scores, similarity };
  }
}
