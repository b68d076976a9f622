// Take away: the model as files, each with its proof; the page for phones; the report.

import { start } from "./actions.js";
import { bar, element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { code } from "./phone.js";
import { doing, language, say, size } from "./say.js";
import { store } from "./store.js";

/** @typedef {import("../../../web/studio.js").Export} Export */

const FIRST = ["web", "tflite", "saved_model", "report"]; // what most people want; the others are folded away
const PAGES = ["web", "web_int8"];
const REPORT = "report";

const inner = make("div");

export function beginTake() {
  element("take").append(
    make("div", { class: "section-head" }, make("h2", { id: "take-heading" }, say("takeHeading"))),
    inner,
  );
  store.on("state", draw);
}

function draw() {
  const { state } = store;
  if (state === null) return;
  const { exports, work, phone, training } = state;
  const exporting = work?.kind === "export" ? work : null;
  redraw(inner, [exports, exporting, phone, training === null], () => {
    if (exports.length === 0) return [make("p", { class: "quiet" }, say("takeLater"))];
    const [first, others] = [true, false].map((isFirst) =>
      exports.filter((each) => (each.written || FIRST.includes(each.name)) === isFirst),
    );
    const isBusy = exporting !== null; // other work ends first
    return [
      exporting
        ? make(
            "div",
            { class: "progress" },
            make("p", { class: "quiet", "data-data": true }, doing(exporting)),
            exporting.total ? bar(exporting.done / exporting.total) : null,
          )
        : null,
      make("ul", { class: "exports" }, ...(first ?? []).map((each) => exportOf(each, isBusy))),
      others?.length ? folded(others, isBusy) : null,
      exports.some(({ name, written }) => written && name !== REPORT)
        ? make("p", { class: "links" }, make("a", { href: "/api/take/all", download: true }, say("takeAll")))
        : null,
      make("h3", {}, say("phonePage")),
      make("p", { class: "quiet small" }, say("phonePageText")),
      ...phonePage(exports.some(({ name, written }) => PAGES.includes(name) && written)),
    ];
  });
}

/** @param {boolean} isWritten */
function phonePage(isWritten) {
  if (!isWritten) return [make("p", { class: "quiet small" }, say("phoneNotYet"))];
  return [
    make("p", { class: "links" }, make("a", { href: `/try/?lang=${language}`, target: "_blank", rel: "noopener" }, say("phoneOpen"))),
    code("phone"),
  ];
}

let isOpen = false; // whether the other formats are folded open

/** @param {Export[]} others @param {boolean} isBusy */
function folded(others, isBusy) {
  const made = make(
    "details",
    { class: "fold", open: isOpen },
    make(
      "summary",
      { "data-key": "fold-formats" },
      make("h3", {}, say("otherFormats", { count: others.length })),
      icon("down"),
    ),
    make("ul", { class: "exports" }, ...others.map((each) => exportOf(each, isBusy))),
  );
  made.addEventListener("toggle", () => {
    isOpen = made.open;
  });
  return made;
}

/** @param {Export} of @param {boolean} isBusy */
function exportOf({ name, title, for: purpose, written, isCurrent, bytes, proof, refused }, isBusy) {
  const write = make(
    "button",
    {
      type: "button",
      "data-key": `write-${name}`,
      disabled: refused !== null,
      "aria-disabled": isBusy || null,
      "aria-label": say("writeOf", { title }),
      onclick: () => isBusy || void start("export", { name }),
    },
    say(written ? "writeAgain" : "write"),
  );
  const open = make(
    "a",
    { class: "button", href: "/api/take/report", target: "_blank", rel: "noopener", "data-key": "take-report" },
    say("openReport"),
  );
  const download = make(
    "a",
    {
      class: "button",
      href: `/api/take/${encodeURIComponent(name)}`,
      download: true,
      "data-key": `take-${name}`,
      "aria-label": say("downloadOf", { title }),
    },
    icon("take"),
    say("download"),
  );
  return make(
    "li",
    {},
    make(
      "div",
      { "data-data": true },
      make("b", {}, title),
      make("span", { class: "quiet small" }, !bytes || !written ? "" : ` ${size(bytes)}`),
      make("p", { class: "quiet small" }, purpose),
      proof && written ? make("p", { class: "proof small" }, icon("check"), proof) : null,
      refused ? make("p", { class: "small refused" }, refused) : null,
    ),
    make(
      "div",
      { class: "acts" },
      written && !isCurrent ? make("span", { class: "stale small" }, say("older")) : null,
      written ? (name === REPORT ? open : download) : null,
      !written || !isCurrent ? write : null,
    ),
  );
}
