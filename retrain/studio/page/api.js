// The studio's server: what is asked of it, and its sentences where it refuses, in the page's language.

import { language } from "./say.js";

/** An answer that is none: `status` 0 if the server was not reached. */
export class ApiError extends Error {
  /** @param {number} status @param {string} sentence */
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** What is done once the server knows this page no longer. @type {{locked: () => void}} */
export const whenRefused = { locked: () => {} };

/** @param {string} path @param {RequestInit} options */
async function ask(path, options = {}) {
  let response;
  try {
    const headers = { ...options.headers, "accept-language": language };
    response = await fetch(path, { cache: "no-store", ...options, headers });
  } catch (error) {
    throw new ApiError(0, error instanceof Error ? error.message : String(error));
  }
  if (response.ok) return response.status === 204 ? {} : response.json().catch(() => ({}));
  if (response.status === 401) whenRefused.locked();
  const answer = await response.json().catch(() => ({}));
  throw new ApiError(response.status, answer.error ?? `${response.status} ${response.statusText}`);
}

/** @param {string} path @returns {Promise<any>} */
export function get(path) {
  return ask(`/api/${path}`);
}

/** @param {string} path @param {unknown} body @returns {Promise<any>} */
export function post(path, body = {}) {
  return ask(`/api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/**
 * Bytes, with what is said of them in the address.
 * @param {string} path @param {Blob} data @param {Record<string, string | null>} parameters @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export function send(path, data, parameters = {}, signal) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== null) query.set(name, value);
  const type = "application/octet-stream";
  const options = { method: "POST", headers: { "content-type": type }, body: data, ...(signal ? { signal } : {}) };
  return ask(`/api/${path}?${query}`, options);
}

/** Whether the server answers at all, be it that it refuses. */
export function isThere() {
  return fetch("/api/classes", { cache: "no-store" }).then(
    () => true,
    () => false,
  );
}

/** The token in this page's address is given once, for a cookie, and taken out of the address. Raises ApiError. */
export async function enter() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  await ask("/api/enter", { method: "POST", headers: { authorization: `Bearer ${found}` } });
}

/** @param {string} id @param {number | string} version */
export function thumbnail(id, version) {
  return `/api/thumbnails/${id}?v=${version}`;
}

/** @param {string} id */
export function large(id) {
  return `/api/photos/${id}`;
}
