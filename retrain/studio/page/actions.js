// What is done to photos and classes. One after the other, in the order in which it was asked for.

import { post } from "./api.js";
import { say } from "./say.js";
import { store } from "./store.js";
import { complain, toast } from "./toasts.js";
import { isolated } from "/shared/words.js";

/** @typedef {import("../../../web/studio.js").Change} Change */

/** @type {Promise<unknown>} */
let last = Promise.resolve();

/**
 * Ask for a change once all earlier ones are done. Returns it, or null where there was none.
 * @param {string} path @param {unknown} body @param {readonly string[]} leaving photos that are not shown meanwhile
 * @returns {Promise<Change | null>}
 */
function change(path, body, leaving = []) {
  for (const id of leaving) store.leaving.add(id);
  if (leaving.length) store.tell("photos");
  const asked = last.then(async () => {
    try {
      return (await post(path, body)).change ?? null;
    } catch (error) {
      complain(error);
      return null;
    } finally {
      await store.list();
      for (const id of leaving) store.leaving.delete(id);
      if (leaving.length) store.tell("photos");
    }
  });
  last = asked;
  return asked;
}

/** What was done, with what takes it back. @param {Change | null} done */
function tell(done) {
  if (done !== null) toast(sentence(done), { action: say("undo"), act: () => void undo() });
}

/** A change in words: "Moved 3 photos to tabby". @param {Change} change */
export function sentence({ action, count, label, to }) {
  const values = { count, label: isolated(label ?? ""), to: isolated(to ?? label ?? "") };
  if (action === "move" && to === null) return say("did_unlabel", values);
  return say(`did_${action}`, values);
}

/** @param {readonly string[]} ids @param {string | null} label */
export async function move(ids, label) {
  const wanted = ids.filter((id) => store.byId.get(id)?.label !== label);
  if (wanted.length) tell(await change("move", { ids: wanted, label }, wanted));
}

/** @param {readonly string[]} ids */
export async function remove(ids) {
  if (ids.length) tell(await change("remove", { ids }, ids));
}

export async function undo() {
  const undone = await change("undo", {});
  if (undone !== null) toast(`${say("undone", { what: sentence(undone) })} ${undone.remark}`.trim());
}

/** @param {string} name @returns {Promise<boolean>} whether there is such a class now */
export async function makeClass(name) {
  return (await change("classes", { name })) !== null;
}

/** @param {string} name @param {string} to */
export async function renameClass(name, to) {
  const isLookedAt = store.view.label === name; // news of the change may come before its answer
  const done = await change("classes/rename", { name, to });
  if (done !== null && isLookedAt) store.look({ kind: "class", label: to });
  tell(done);
}

/** @param {string} name */
export async function removeClass(name) {
  tell(await change("classes/remove", { name }));
}

/** @param {number} above */
export async function acceptGuesses(above) {
  tell(await change("guesses/accept", { above }));
}

/** @param {readonly string[]} ids @param {string} kind @param {string} action */
export async function decide(ids, kind, action) {
  const done = await change("decisions", { ids, kind, action });
  tell(done);
}

/** Start what takes a while: its progress and its end come as events. @param {string} what @param {unknown} body */
export async function start(what, body = {}) {
  try {
    await post(what, body);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}
