// Take away: the model as files, each with its proof; the page for phones; the report.

import { start } from "./actions.js";
import { bar, element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { code } from "./phone.js";
import { say, size } from "./say.js";
import { store } from "./store.js";

/** @typedef {import("../../../web/studio.js").Export} Export */

const inner = make("div");

export function beginTake() {
  element("take").append(make("div", { class: "section-head" }, make("h2", { id: "take-heading" }, say("takeHeading"))), inner);
  store.on("state", draw);
}

function draw() {
  const { state } = store;
  if (state === null) return;
  const { exports, work, phone, training } = state;
  const exporting = work?.kind === "export" ? work : null;
  redraw(inner, [exports, exporting, work === null, phone, training === null], () => {
    if (exports.length === 0) return [make("p", { class: "quiet" }, say("takeLater"))];
    return [
      exporting
        ? make("div", { class: "progress" }, make("p", { class: "quiet", "data-data": true }, exporting.sentence), exporting.total ? bar(exporting.done / exporting.total) : null)
        : null,
      make("ul", { class: "exports" }, ...exports.map((each) => exportOf(each, work !== null))),
      make(
        "p",
        { class: "links" },
        exports.some(({ written }) => written) ? make("a", { href: "/api/take/all", download: true }, say("takeAll")) : null,
        make("a", { href: "/api/take/report", target: "_blank", rel: "noopener" }, say("report")),
      ),
      make("h3", {}, say("phonePage")),
      make("p", { class: "quiet small" }, say("phonePageText")),
      exports.some(({ name, written }) => name === "web" && written) ? make("p", { class: "links" }, make("a", { href: "/try/", target: "_blank", rel: "noopener" }, say("phoneOpen"))) : null,
      code("phone"),
    ];
  });
}

/** @param {Export} of @param {boolean} isBusy */
function exportOf({ name, title, for: purpose, written, isCurrent, bytes, proof, refused }, isBusy) {
  const write = make(
    "button",
    { type: "button", "data-key": `write-${name}`, disabled: isBusy || refused !== null, "aria-label": say("writeOf", { title }), onclick: () => void start("export", { name }) },
    say(written ? "writeAgain" : "write"),
  );
  const download = make("a", { class: "button", href: `/api/take/${encodeURIComponent(name)}`, download: true, "data-key": `take-${name}`, "aria-label": say("downloadOf", { title }) }, icon("take"), say("download"));
  return make(
    "li",
    {},
    make(
      "div",
      { "data-data": true },
      make("b", {}, title),
      make("span", { class: "quiet small" }, bytes === null ? "" : ` ${size(bytes)}`),
      make("p", { class: "quiet small" }, purpose),
      proof && written ? make("p", { class: "proof small" }, icon("check"), proof) : null,
      refused ? make("p", { class: "small refused" }, refused) : null,
    ),
    make("div", { class: "acts" }, written && !isCurrent ? make("span", { class: "stale small" }, say("older")) : null, written ? download : null, !written || !isCurrent ? write : null),
  );
}
