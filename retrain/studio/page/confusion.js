// Which class is taken for which: a table, or a list where the table would be too wide to read.

import { make } from "./dom.js";
import { number, percent, say } from "./say.js";
import { isolated, shown } from "/shared/words.js";

const WIDEST = 7; // classes of a table

/** @param {number[][]} counts rows: what the photos are; columns: what was said @param {string[]} classes */
export function confusionOf(counts, classes) {
  const isWide = classes.length > WIDEST;
  const help = make("p", { class: "quiet small" }, say(isWide ? "confusionMost" : "confusionHelp"));
  return [help, isWide ? listOf(counts, classes) : tableOf(counts, classes)];
}

/** @param {number[][]} counts @param {string[]} classes */
function tableOf(counts, classes) {
  const head = classes.map((label, place) =>
    make(
      "th",
      { scope: "col" },
      make(
        "span",
        { class: "letter", "aria-hidden": "true", title: shown(label), "data-data": true },
        number(place + 1),
      ),
      make("bdi", { class: "hidden" }, shown(label)),
    ),
  );
  const rows = classes.map((label, row) => {
    const total = Math.max(
      1,
      (counts[row] ?? []).reduce((sum, each) => sum + each, 0),
    );
    const cells = classes.map((_, column) => cell(counts[row]?.[column] ?? 0, total, row === column));
    const name = make(
      "th",
      { scope: "row" },
      make("span", { class: "letter", "aria-hidden": "true" }, number(row + 1)),
      make("bdi", {}, shown(label)),
    );
    return make("tr", {}, name, ...cells);
  });
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": say("confusion") },
    make(
      "table",
      { class: "confusion" },
      make("thead", {}, make("tr", {}, make("td", { class: "corner quiet" }, say("isSaid")), ...head)),
      make("tbody", {}, ...rows),
    ),
  );
}

/** @param {number} count @param {number} total @param {boolean} isRight */
function cell(count, total, isRight) {
  const made = make("td", { class: count === 0 ? "none" : isRight ? "right" : "wrong" }, count ? number(count) : "·");
  if (count) made.style.setProperty("--share", `${Math.round(12 + (isRight ? 50 : 60) * (count / total))}%`);
  return made;
}

/** The most frequent confusions. @param {number[][]} counts @param {string[]} classes */
function listOf(counts, classes) {
  const pairs = classes.flatMap((given, row) => {
    const total = Math.max(
      1,
      (counts[row] ?? []).reduce((sum, each) => sum + each, 0),
    );
    return classes.map((said, column) => ({
      given,
      said,
      count: row === column ? 0 : (counts[row]?.[column] ?? 0),
      total,
    }));
  });
  const worst = pairs
    .filter(({ count }) => count)
    .sort((one, other) => other.count - one.count)
    .slice(0, 12);
  if (worst.length === 0) return make("p", {}, say("noMistakes"));
  return make(
    "ul",
    { class: "confused" },
    ...worst.map(({ given, said, count, total }) =>
      make(
        "li",
        {},
        say("confusedIs", { given: isolated(given), said: isolated(said), count, percent: percent(count / total) }),
      ),
    ),
  );
}
