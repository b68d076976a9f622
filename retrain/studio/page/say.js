// What is said, in the page's language: the one in its address, the one that was chosen, or the browser's.

import { languageOf, NAMES, speaker } from "./words.js";

const KEPT = "retrain-studio-language";

/** @returns {string | null} */
function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // a browser that keeps nothing
  }
}

const asked = new URLSearchParams(location.search).get("lang");
export const language = languageOf([asked, kept(), ...navigator.languages]);
const locale =
  navigator.languages.find((each) => each.startsWith(language)) ?? (language === "pt" ? "pt-BR" : language);
const numbers = new Intl.NumberFormat(locale);
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const finePercents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
const signed = new Intl.NumberFormat(locale, { maximumFractionDigits: 1, signDisplay: "exceptZero" });
const decimals = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });

export const say = speaker(language, numbers);

/** @param {number} share */
export function percent(share) {
  return percents.format(share);
}

/** With a tenth, but never 100 % of what is not all. @param {number} share */
export function finePercent(share) {
  return finePercents.format(share < 1 ? Math.min(share, 0.999) : share);
}

/** Hundredths, with their sign. @param {number} share */
export function points(share) {
  return signed.format(100 * share);
}

/** @param {number} count */
export function number(count) {
  return numbers.format(count);
}

/** @param {number} seconds */
export function tenths(seconds) {
  return decimals.format(seconds);
}

/** @param {number} bytes */
export function size(bytes) {
  const [unit, divisor] = bytes < 1e6 ? ["kB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${decimals.format(bytes / Number(divisor))}\u00a0${unit}`;
}

/** What is being done, also before the server says more of it. @param {{kind: string, sentence: string}} work */
export function doing({ kind, sentence }) {
  if (sentence) return sentence;
  return { train: say("training"), more: say("more"), examine: say("examining") }[kind] ?? say("writing");
}

/** The words of what stands in the page itself: `data-words` in an element. */
export function translate() {
  document.documentElement.lang = language === "pt" ? "pt-BR" : language;
  for (const each of document.querySelectorAll("[data-words]")) {
    if (each instanceof HTMLElement) each.textContent = say(each.dataset["words"] ?? "");
  }
}

/** The other languages, each with what chooses it. @returns {{name: string, code: string, isChosen: boolean, choose: () => void}[]} */
export function languages() {
  return Object.entries(NAMES).map(([code, name]) => ({
    name,
    code,
    isChosen: code === language,
    choose: () => choose(code),
  }));
}

/** @param {string} code */
function choose(code) {
  try {
    localStorage.setItem(KEPT, code);
  } catch {
    // then it holds for this address alone
  }
  const address = new URL(location.href);
  address.searchParams.set("lang", code);
  location.assign(address);
}
