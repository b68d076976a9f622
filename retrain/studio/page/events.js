// What the server tells as it happens. A lost server is looked for until it is there again.

import { ApiError, get } from "./api.js";
import { language } from "./say.js";
import { store } from "./store.js";

const AGAIN = 1500; // milliseconds between two looks for a lost server
// Milliseconds after which a page that nobody sees is told no more: browsers open six connections to a server, and many
// tabs would take them all.
const UNSEEN = 20_000;

/** @param {(isLost: boolean) => void} lost told when the server is gone, and when it is back */
export function listen(lost) {
  const source = new EventSource(`/api/events?lang=${language}`);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const leave = () => {
    source.close();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", turned);
  };
  const sleep = () => {
    leave();
    document.addEventListener("visibilitychange", () => void look(lost), { once: true });
  };
  const turned = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(sleep, UNSEEN);
  };
  source.addEventListener("state", ({ data }) => {
    lost(false);
    store.take(JSON.parse(data));
  });
  source.addEventListener("curve", ({ data }) => store.step(JSON.parse(data)));
  source.addEventListener("error", () => {
    leave(); // browsers wait longer and longer, and some give up: it is looked for here instead
    void look(lost);
  });
  document.addEventListener("visibilitychange", turned);
  turned();
}

/** @param {(isLost: boolean) => void} lost */
async function look(lost) {
  for (;;) {
    try {
      store.take(await get("state"));
      lost(false);
      listen(lost);
      return;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return; // a new one: it has another token
      lost(true);
    }
    await new Promise((done) => setTimeout(done, AGAIN));
  }
}
