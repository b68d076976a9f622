// Who answers: the model on this phone, in a worker, or the server that the page came from.

import { dequantised } from "./answers.js";

/** @typedef {import("./answers.js").Output} Output */
/** @typedef {import("./answers.js").Outputs} Outputs */
/** @typedef {{dtype: string, table?: number[]}} Input */
/** @typedef {{file: string, bytes: number, input: Input, outputs: {scores: Output, similarity?: Output}}} ModelConfig */
/**
 * @typedef {object} Config
 * @property {string[]} labels
 * @property {number | null} threshold a photo whose similarity is lower is none of the labels
 * @property {number} size side of the square that the model sees
 * @property {boolean} orient whether photos are turned upright
 * @property {boolean} server whether `label` beside this page answers
 * @property {ModelConfig | null} model what the phone runs itself
 */
/** @typedef {(share: number) => void} Progress */
/** @typedef {{onPhone: boolean, labels: string[], answer: (picture: ImageBitmap | Blob) => Promise<Outputs>}} Engine */

/** A photo that cannot be read; the message is a key of words.js. */
export class PhotoError extends Error {}

/**
 * The model on this phone if there is one and it runs, else the server if there is one.
 * @param {Config} config @param {Progress} progress @returns {Promise<Engine>}
 */
export async function openEngine(config, progress) {
  if (config.model === null) return new ServerEngine(config);
  try {
    return await PhoneEngine.open(config, progress);
  } catch (error) {
    if (!config.server) throw error;
    return new ServerEngine(config);
  }
}

/** The model in a worker, so that the page goes on moving meanwhile. */
export class PhoneEngine {
  onPhone = true;
  /** @type {Map<number, {done: (outputs: Outputs) => void, failed: (error: Error) => void}>} */
  waiting = new Map();
  asked = 0;

  /** @param {Worker} worker @param {ModelConfig} model @param {string[]} labels */
  constructor(worker, model, labels) {
    this.worker = worker;
    this.model = model;
    this.labels = labels;
    worker.onmessage = ({ data }) => this.heard(data);
  }

  /** @param {Config} config @param {Progress} progress @returns {Promise<PhoneEngine>} */
  static open(config, progress) {
    const { model } = config;
    if (model === null) throw new Error("no model");
    return new Promise((done, failed) => {
      const worker = new Worker("worker.js");
      const end = (/** @type {Error} */ error) => {
        worker.terminate();
        failed(error);
      };
      worker.onerror = (event) => end(new Error(event.message || "worker.js"));
      worker.onmessage = ({ data }) => {
        if (data.kind === "progress") progress(data.share);
        else if (data.kind === "failed") end(new Error(data.reason));
        else done(new PhoneEngine(worker, model, config.labels));
      };
      worker.postMessage({ kind: "load", config });
    });
  }

  /** @param {ImageBitmap | Blob} picture given away, if it is a bitmap @returns {Promise<Outputs>} */
  answer(picture) {
    const id = this.asked++;
    return new Promise((done, failed) => {
      this.waiting.set(id, { done, failed });
      this.worker.postMessage({ kind: "answer", id, picture }, picture instanceof ImageBitmap ? [picture] : []);
    });
  }

  /** @param {any} data */
  heard(data) {
    const asked = this.waiting.get(data.id);
    this.waiting.delete(data.id);
    if (data.kind === "answer") {
      const { scores, similarity } = this.model.outputs;
      asked?.done({
        scores: dequantised(data.scores, scores),
        similarity: similarity && data.similarity ? (dequantised(data.similarity, similarity)[0] ?? null) : null,
      });
    } else asked?.failed(data.isPhoto ? new PhotoError(data.reason) : new Error(data.reason));
  }
}

/** The server that the page came from: `POST label`, answered as `label_image --json` does. */
export class ServerEngine {
  onPhone = false;

  /** @param {Config} config */
  constructor(config) {
    this.labels = [...config.labels];
    // Behind the #, which no browser sends by itself.
    this.token = new URLSearchParams(location.hash.slice(1)).get("token");
  }

  /** @param {ImageBitmap | Blob} picture @returns {Promise<Outputs>} */
  async answer(picture) {
    const body = picture instanceof ImageBitmap ? await jpegOf(picture) : picture;
    const headers = new Headers({ "Content-Type": body.type || "application/octet-stream" });
    if (this.token !== null) headers.set("Authorization", `Bearer ${this.token}`);
    const response = await fetch("label", { method: "POST", headers, body });
    const said = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(said.error ?? `${response.status} ${response.statusText}`);
    /** @type {{label: string, probability: number}[]} */
    const top = said.top ?? [{ label: said.label, probability: said.probability }];
    const found = new Map(top.map(({ label, probability }) => [label, probability]));
    // A server may call the classes by other names.
    for (const label of found.keys()) if (!this.labels.includes(label)) this.labels.push(label);
    return { scores: this.labels.map((label) => found.get(label) ?? 0), similarity: said.similarity ?? null };
  }
}

/** @param {ImageBitmap} bitmap */
async function jpegOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}
