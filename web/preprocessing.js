// From a picture to the pixels that the model sees, to the bit as Pillow 13 does it.
//
// Pillow's resize is two passes with weights of 22 bits, rounded to bytes in between, so that their order shows. A
// canvas resizes in ways of its own, and moves probabilities by up to 0.4: it is only read here, and never scales.

/** @typedef {{width: number, height: number, rows: (first: number, count: number) => Uint8ClampedArray}} Picture */
/** @typedef {{first: Int32Array, count: Int32Array, values: Int32Array, most: number}} Weights */

const BITS = 22;
const HALF = 1 << (BITS - 1);
const STRIP = 2 ** 20; // pixels that are read at once: iOS has a limit for canvases, and every copy takes memory

/**
 * A picture (RGBA, row by row) squeezed to a square of RGB.
 * @param {Picture} picture @param {number} size
 */
export function squeezed(picture, size) {
  const { width, height } = picture;
  const across = weightsOf(width, size);
  const down = weightsOf(height, size);
  // As Pillow 13 chooses: where there is much more to do along the columns, they come first.
  if (height > size && height - size > 2 * (width - size)) {
    return acrossBytes(downRows(picture, down, size), width, size, across, 3);
  }
  return downBytes(acrossRows(picture, across, size), size, down);
}

/**
 * What each of `to` pixels takes of `from` pixels: a triangle as wide as the pixel, or as one of `from` if that is wider.
 * @param {number} from @param {number} to @returns {Weights}
 */
export function weightsOf(from, to) {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const inverse = 1 / support;
  const most = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const values = new Int32Array(to * most);
  const exact = new Float64Array(most);
  for (let index = 0; index < to; index++) {
    const centre = (index + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let x = 0; x < end - start; x++) {
      const distance = Math.abs((x + start - centre + 0.5) * inverse);
      const weight = distance < 1 ? 1 - distance : 0;
      exact[x] = weight;
      sum += weight;
    }
    first[index] = start;
    count[index] = end - start;
    for (let x = 0; x < end - start; x++) {
      const weight = sum === 0 ? exact[x] : exact[x] / sum;
      values[index * most + x] = Math.trunc(0.5 + weight * 2 ** BITS);
    }
  }
  return { first, count, values, most };
}

/** A sum of bytes by weights, as a byte. @param {number} sum */
function byteOf(sum) {
  const value = sum >> BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/**
 * Rows of `width` pixels of `channels` bytes, each resized to `size` pixels of RGB.
 * @param {ArrayLike<number>} bytes @param {number} width @param {number} size @param {Weights} weights
 * @param {number} channels
 */
function acrossBytes(bytes, width, size, { first, count, values, most }, channels) {
  const height = bytes.length / (width * channels);
  const result = new Uint8Array(height * size * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * channels;
    for (let x = 0; x < size; x++) {
      let red = HALF, green = HALF, blue = HALF;
      let from = row + first[x] * channels;
      const end = x * most + count[x];
      for (let at = x * most; at < end; at++, from += channels) {
        const weight = values[at];
        red += bytes[from] * weight;
        green += bytes[from + 1] * weight;
        blue += bytes[from + 2] * weight;
      }
      result[to++] = byteOf(red);
      result[to++] = byteOf(green);
      result[to++] = byteOf(blue);
    }
  }
  return result;
}

/** All rows of a picture, resized. @param {Picture} picture @param {Weights} weights @param {number} size */
function acrossRows(picture, weights, size) {
  const result = new Uint8Array(picture.height * size * 3);
  for (const [start, strip] of strips(picture)) {
    result.set(acrossBytes(strip, picture.width, size, weights, 4), start * size * 3);
  }
  return result;
}

/**
 * Columns of `size` pixels of RGB in a row, resized to `size` rows.
 * @param {Uint8Array} bytes @param {number} size @param {Weights} weights
 */
function downBytes(bytes, size, { first, count, values, most }) {
  const length = size * 3;
  const result = new Uint8Array(size * length);
  const sums = new Int32Array(length);
  for (let y = 0; y < size; y++) {
    sums.fill(HALF);
    for (let row = 0; row < count[y]; row++) {
      const weight = values[y * most + row];
      const from = (first[y] + row) * length;
      for (let x = 0; x < length; x++) sums[x] += bytes[from + x] * weight;
    }
    for (let x = 0; x < length; x++) result[y * length + x] = byteOf(sums[x]);
  }
  return result;
}

/** All columns of a picture, resized: RGB. @param {Picture} picture @param {Weights} weights @param {number} size */
function downRows(picture, { first, count, values, most }, size) {
  const length = picture.width * 3;
  const sums = new Int32Array(size * length).fill(HALF);
  for (const [start, strip] of strips(picture)) {
    const end = start + strip.length / (picture.width * 4);
    for (let y = 0; y < size; y++) {
      for (let row = Math.max(start, first[y]); row < Math.min(end, first[y] + count[y]); row++) {
        const weight = values[y * most + row - first[y]];
        let from = (row - start) * picture.width * 4;
        for (let x = y * length; x < (y + 1) * length; x += 3, from += 4) {
          sums[x] += strip[from] * weight;
          sums[x + 1] += strip[from + 1] * weight;
          sums[x + 2] += strip[from + 2] * weight;
        }
      }
    }
  }
  return Uint8Array.from(sums, byteOf);
}

/** @param {Picture} picture @returns {Generator<[number, Uint8ClampedArray]>} */
function* strips({ width, height, rows }) {
  const most = Math.max(1, Math.floor(STRIP / width));
  for (let start = 0; start < height; start += most) yield [start, rows(start, Math.min(most, height - start))];
}

/** Reads bitmaps by way of one canvas; transparency is over white, as in training. */
export class Reader {
  constructor() {
    this.canvas = new OffscreenCanvas(1, 1);
    this.context = contextOf(this.canvas);
  }

  /** @param {ImageBitmap} bitmap @returns {Picture} */
  picture(bitmap) {
    const { width, height } = bitmap;
    const most = Math.min(height, Math.max(1, Math.floor(STRIP / width)));
    if (this.canvas.width !== width || this.canvas.height !== most) {
      this.canvas.width = width;
      this.canvas.height = most;
      this.context.fillStyle = "white";
      this.context.imageSmoothingEnabled = false;
    }
    const rows = (/** @type {number} */ first, /** @type {number} */ count) => {
      this.context.fillRect(0, 0, width, count);
      this.context.drawImage(bitmap, 0, first, width, count, 0, 0, width, count);
      return this.context.getImageData(0, 0, width, count).data;
    };
    return { width, height, rows };
  }
}

/** @param {OffscreenCanvas} canvas */
function contextOf(canvas) {
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (context === null) throw new Error("no 2d canvas");
  return context;
}
