// The words of the studio's page, in the languages that it speaks.

import { en } from "./words_en.js";
import { pt } from "./words_pt.js";

/** Where a count is said there is a form for one, and for others; `zero` where a language says none otherwise. */
/** @typedef {{one: string, other: string, zero?: string}} Forms */
/** @typedef {Record<string, string | Forms>} Words */

/** @type {Record<string, Words>} */
export const LANGUAGES = { en, pt };

/** Each language in its own words. @type {Record<string, string>} */
export const NAMES = { en: "English", pt: "Português" };

/**
 * The first language of these that the page speaks; else English.
 * @param {readonly (string | null | undefined)[]} preferred
 */
export function languageOf(preferred) {
  const spoken = preferred.map((each) => each?.toLowerCase().split("-")[0] ?? "");
  return spoken.find((each) => Object.hasOwn(LANGUAGES, each)) ?? "en";
}

/**
 * A speaker of a language: `say("photos", {count: 3})`. Numbers are written as the language writes them.
 * @param {string} language @param {Intl.NumberFormat} numbers
 * @returns {(key: string, values?: Record<string, string | number>) => string}
 */
export function speaker(language, numbers) {
  const plurals = new Intl.PluralRules(language);
  const words = LANGUAGES[language] ?? {};
  return (key, values = {}) => {
    const found = words[key] ?? key;
    const text = typeof found === "string" ? found : formOf(found, Number(values["count"] ?? 0), plurals);
    return text.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = values[name];
      return value === undefined ? whole : typeof value === "number" ? numbers.format(value) : value;
    });
  };
}

/** @param {Forms} forms @param {number} count @param {Intl.PluralRules} plurals */
function formOf(forms, count, plurals) {
  if (count === 0 && forms.zero !== undefined) return forms.zero;
  return plurals.select(count) === "one" ? forms.one : forms.other;
}
