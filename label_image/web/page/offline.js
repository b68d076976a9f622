// Keeping the page on the phone, by its service worker: everything is fetched once, and then there without a network.

/** @typedef {(share: number) => void} Progress */

/**
 * Resolves once everything is kept, so that what follows is read from there and not fetched again; false where this
 * cannot be (plain http, a certificate that was clicked through, a private window).
 * @param {Progress} progress @param {(renew: () => void) => void} newer is called when a newer version lies ready
 * @returns {Promise<boolean>}
 */
export async function keepOffline(progress, newer) {
  if (!("serviceWorker" in navigator) || !window.isSecureContext) return false;
  const { serviceWorker } = navigator;
  serviceWorker.addEventListener("message", ({ data }) => {
    if (data?.kind === "progress") progress(data.share);
  });
  try {
    const registration = await serviceWorker.register("sw.js", { updateViaCache: "none" });
    if (serviceWorker.controller) {
      watchForNewer(registration, newer);
      return true;
    }
    const installing = registration.installing ?? registration.waiting ?? registration.active;
    return installing ? await controls(installing) : false;
  } catch {
    return false;
  }
}

/** @param {ServiceWorker} worker @returns {Promise<boolean>} whether it came to control this page */
function controls(worker) {
  return new Promise((done) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => done(true), { once: true });
    worker.addEventListener("statechange", () => {
      if (worker.state === "redundant") done(false);
    });
    if (worker.state === "activated") worker.postMessage("claim"); // where the page was loaded past it
  });
}

/** @param {ServiceWorkerRegistration} registration @param {(renew: () => void) => void} newer */
function watchForNewer(registration, newer) {
  const tell = (/** @type {ServiceWorker} */ worker) =>
    newer(() => {
      navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
      worker.postMessage("take over");
    });
  if (registration.waiting) tell(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = registration.installing;
    worker?.addEventListener("statechange", () => {
      if (worker.state === "installed") tell(worker);
    });
  });
}
