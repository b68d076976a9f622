// Keeps all files of the page in a cache of their version, and answers with them: labels and model change together.
// VERSION and FILES are written in front of this when the page is made.

const scope = /** @type {any} */ (self).registration.scope;
// A host may serve several pages, and their caches lie side by side: each goes by its address.
const MINE = `retrain ${scope} `;
const CACHE = MINE + VERSION;
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

worker.addEventListener("install", (event) => event.waitUntil(keep()));
worker.addEventListener("activate", (event) => event.waitUntil(begin()));
worker.addEventListener("message", (event) => {
  if (event.data === "take over") event.waitUntil(worker.skipWaiting());
  if (event.data === "claim") event.waitUntil(worker.clients.claim());
});
worker.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const path = pathOf(url);
  if (method === "GET" && path !== null && FILES.includes(path)) event.respondWith(answer(path, event.request));
});

/** The name of a file of this page; null of anything else. @param {string} url */
function pathOf(url) {
  const plain = url.split(/[?#]/)[0] ?? "";
  if (!plain.startsWith(scope)) return null;
  const path = plain.slice(scope.length);
  return path === "" || path === "index.html" ? "./" : path;
}

/** @param {string} path @param {Request} request */
async function answer(path, request) {
  const kept = await (await caches.open(CACHE)).match(new URL(path, scope).href, { ignoreVary: true });
  return kept ?? fetch(request);
}

async function keep() {
  const cache = await caches.open(CACHE);
  let done = 0;
  const get = async (/** @type {string} */ path) => {
    const url = new URL(path, scope).href;
    // What has its hash in its name is the same under any version.
    const same = path.startsWith("model-") ? await caches.match(url, { ignoreVary: true }) : undefined;
    const response = same ?? (await fetch(url, { cache: "reload" }));
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    await cache.put(url, response);
    done += SIZES[FILES.indexOf(path)] ?? 0;
    await tell(done / SIZES.reduce((sum, size) => sum + size, 0));
  };
  await Promise.all(FILES.map(get));
}

/** @param {number} share of all that is to be fetched */
async function tell(share) {
  for (const client of await worker.clients.matchAll({ includeUncontrolled: true, type: "window" })) {
    client.postMessage({ kind: "progress", share });
  }
}

async function begin() {
  for (const name of await caches.keys()) if (name.startsWith(MINE) && name !== CACHE) await caches.delete(name);
  await worker.clients.claim();
}
