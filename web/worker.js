// The model on the phone. A classic worker, for LiteRT.js calls importScripts; bundled by build.mjs.

import { Environment, loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { Reader, squeezed } from "./preprocessing.js";

/** @typedef {import("../label_image/web/page/engine.js").Config} Config */
/** @typedef {import("../label_image/web/page/engine.js").ModelConfig} ModelConfig */
/** @typedef {Awaited<ReturnType<typeof loadAndCompile>>} Compiled */

const scope = /** @type {any} */ (self);
const reader = new Reader();
const RUNTIME = "runtime.wasm.gz";
/** @type {{config: Config, model: ModelConfig, compiled: Compiled}} */
let loaded;

scope.onmessage = async (/** @type {MessageEvent} */ { data }) => {
  if (data.kind === "load") {
    try {
      await load(data.config);
      scope.postMessage({ kind: "ready" });
    } catch (error) {
      scope.postMessage({ kind: "failed", reason: reasonOf(error) });
    }
  } else await tell(data.id, data.picture);
};

/** @param {number} id @param {ImageBitmap | Blob} picture */
async function tell(id, picture) {
  let bitmap;
  try {
    bitmap = picture instanceof Blob ? await decoded(picture) : picture;
  } catch (error) {
    scope.postMessage({ kind: "failed", id, isPhoto: true, reason: reasonOf(error) });
    return;
  }
  try {
    scope.postMessage({ kind: "answer", id, ...(await answer(bitmap)) });
  } catch (error) {
    scope.postMessage({ kind: "failed", id, isPhoto: false, reason: reasonOf(error) });
  } finally {
    bitmap.close();
  }
}

/**
 * A photo as training decodes it: turned as its EXIF says, its numbers as they are stored.
 * @param {Blob} photo
 */
function decoded(photo) {
  const imageOrientation = loaded.config.orient ? "from-image" : "none";
  return createImageBitmap(photo, { imageOrientation, colorSpaceConversion: "none" });
}

/** @param {ImageBitmap} bitmap */
async function answer(bitmap) {
  const { config, model, compiled } = loaded;
  const image = new Tensor(input(squeezed(reader.picture(bitmap), config.size), model), [1, config.size, config.size, 3]);
  try {
    const outputs = await compiled.run({ image });
    try {
      // Copies: what they are of belongs to the runtime, and goes.
      return { scores: outputs["scores"]?.toTypedArray().slice(), similarity: outputs["similarity"]?.toTypedArray().slice() };
    } finally {
      for (const output of Object.values(outputs)) output.delete();
    }
  } finally {
    image.delete();
  }
}

/** Levels as the model takes them. @param {Uint8Array} pixels @param {ModelConfig} model */
function input(pixels, model) {
  const { dtype, table } = model.input;
  if (dtype === "float32") return Float32Array.from(pixels);
  const levels = table ?? [];
  const values = dtype === "uint8" ? new Uint8Array(pixels.length) : new Int32Array(pixels.length);
  for (let index = 0; index < pixels.length; index++) values[index] = levels[pixels[index]];
  return values;
}

/** @param {Config} config */
async function load(config) {
  const { model } = config;
  if (model === null) throw new Error("no model");
  const [runtime, data] = await Promise.all([plain(bytesOf(RUNTIME)), plain(bytesOf(model.file, model.bytes))]);
  // What it would say on the console is for those who build it.
  const nothing = () => {};
  scope.Module = { wasmBinary: runtime, locateFile: (/** @type {string} */ name) => name, print: nothing, printErr: nothing };
  // It would look for a graphics device, which is not used, and complain where there is none.
  Environment.create = async () => new Environment({ webGpuDevice: null });
  await loadLiteRt("runtime.js");
  loaded = { config, model, compiled: await loadAndCompile(data, { accelerator: "wasm" }) };
}

/** @param {string} file @param {number} total of which the progress is told; 0: it is not */
async function bytesOf(file, total = 0) {
  const response = await fetch(file);
  if (!response.ok || response.body === null) throw new Error(`${file}: ${response.status} ${response.statusText}`);
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  let length = 0;
  const body = response.body.getReader();
  for (let { done, value } = await body.read(); !done; { done, value } = await body.read()) {
    if (value) parts.push(value);
    length += value?.length ?? 0;
    if (total) scope.postMessage({ kind: "progress", share: Math.min(1, length / total) });
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** What was gzipped, as it was; a server may have unpacked it by itself. @param {Promise<Uint8Array<ArrayBuffer>>} file */
async function plain(file) {
  const data = await file;
  if (data[0] !== 0x1f || data[1] !== 0x8b) return data;
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}
