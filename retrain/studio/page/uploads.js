// Photos on their way into the folder: a few at a time, tried again where the server is away, told of where it refuses.

import { ApiError, isThere, send } from "./api.js";
import { bar, element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { say } from "./say.js";
import { toast } from "./toasts.js";

/** @typedef {import("./incoming.js").Incoming} Incoming */
/** @typedef {{name: string, reason: string, again: Incoming | null}} Failure */

const AT_ONCE = 3;
const TRIES = 4;
const PAUSE = 700; // milliseconds before the second try, twice that before the third
const AWAY = 2000; // milliseconds between two tries for a server that is away
const LISTED = 100; // files that were not added: more are only counted

/** @type {Incoming[]} */
let waiting = [];
/** @type {Failure[]} */
let failures = [];
let running = 0;
let all = 0; // since the last time that none was on its way
let done = 0;
let added = 0;
let known = 0;
let away = 0; // how many wait for a server that is not there

/** What is done for each file that has arrived, and whenever there are more or fewer on their way. */
export const whenSent = { sent: () => {}, changed: () => {} };

/** @param {readonly Incoming[]} files */
export function upload(files) {
  if (files.length === 0) toast(say("nothingToAdd"));
  waiting.push(...files);
  all += files.length;
  show();
  while (running < AT_ONCE && waiting.length) void work();
}

/** How many are on their way. */
export function pending() {
  return waiting.length + running;
}

async function work() {
  running++;
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    await sendOne(next);
    done++;
    show();
  }
  running--;
  if (running === 0) finish();
  else show();
}

/** @param {Incoming} incoming */
async function sendOne(incoming) {
  const { file, label, isArchive, isUnread = false } = incoming;
  let attempt = 0; // that a server which is there has failed; one that is away is waited for
  for (;;) {
    try {
      if (isUnread) throw new Error();
      if (isArchive) {
        const answer = await send("archives", file, { label, name: file.name });
        added += answer.added;
        known += answer.known;
        for (const { name, reason } of answer.refused) failures.push({ name, reason, again: null });
      } else if ((await send("photos", file, { label, name: file.name })).isNew) added++;
      else known++;
      whenSent.sent();
      return;
    } catch (error) {
      const status = error instanceof ApiError ? error.status : -1;
      if (status === 401) waiting = []; // the server knows this page no longer
      const isAway = status === 0 && !(await isThere());
      if (!isAway) attempt++;
      const isPassing = status === 0 || status >= 500;
      if (isPassing && attempt < TRIES) {
        await pause(isAway ? AWAY : PAUSE * 2 ** (attempt - 1), isAway);
        continue;
      }
      // Browsers do not say of a file that it cannot be read: it looks as if the network had failed.
      const reason = isUnread || status === 0 ? say("unreadable") : error instanceof Error ? error.message : String(error);
      failures.push({ name: file.name, reason, again: isPassing ? incoming : null });
      return;
    }
  }
}

/** Before the next try. @param {number} milliseconds @param {boolean} isAway */
async function pause(milliseconds, isAway) {
  if (isAway) away++;
  show();
  await new Promise((again) => setTimeout(again, milliseconds));
  if (isAway) away--;
}

/** A page with photos on their way asks before it is left. */
addEventListener("beforeunload", (event) => {
  if (pending()) event.preventDefault();
});

function finish() {
  if (added) toast(say("added", { count: added }) + (known ? ` ${say("known", { count: known })}` : ""));
  else if (known) toast(say("allKnown", { count: known }));
  all = done = added = known = 0;
  show();
}

function show() {
  const where = element("uploads");
  where.hidden = pending() === 0 && failures.length === 0;
  redraw(where, [done, all, failures.length, pending() > 0, away > 0], () => [
    pending() ? make("p", { id: "uploading" }, say("uploading", { done, count: all })) : null,
    pending() && away ? make("p", { class: "quiet" }, say("waitingForIt")) : null,
    pending() ? bar(done / Math.max(1, all)) : null,
    failures.length ? failed() : null,
  ]);
  whenSent.changed();
}

/** A reason that begins with the file's name, which is said already. @param {string} reason @param {string} name */
function withoutName(reason, name) {
  return reason.startsWith(`${name} `) ? reason.slice(name.length + 1) : reason;
}

function failed() {
  const again = failures.map((failure) => failure.again).filter((each) => each !== null);
  const forget = () => {
    failures = [];
    show();
  };
  const retry = () => {
    failures = failures.filter((failure) => failure.again === null);
    upload(again);
    show();
  };
  return make(
    "div",
    { class: "failed", role: pending() ? null : "alert" }, // read aloud once, not with each file
    make("p", {}, say("failed", { count: failures.length })),
    make(
      "ul",
      { tabindex: "0", "aria-label": say("failedList") },
      ...failures
        .slice(0, LISTED)
        .map(({ name, reason }) =>
          make(
            "li",
            {},
            make("bdi", {}, name),
            make("span", { class: "quiet", "data-data": true }, ` ${withoutName(reason, name)}`),
          ),
        ),
      failures.length > LISTED ? make("li", {}, say("failedMore", { count: failures.length - LISTED })) : null,
    ),
    make(
      "div",
      { class: "answers" },
      again.length
        ? make("button", { type: "button", class: "main", "data-key": "again", onclick: retry }, say("again"))
        : null,
      make("button", { type: "button", "data-key": "forget", onclick: forget }, icon("close"), say("close")),
    ),
  );
}
