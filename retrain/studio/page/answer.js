// An answer of the model as it is seen: the name large, the next ones, and the photos of the training that are nearest.

import { thumbnail } from "./api.js";
import { bar, make } from "./dom.js";
import { percent, say } from "./say.js";
import { store } from "./store.js";
import { isolated, shown } from "/shared/words.js";

/** @param {import("../../../web/studio.js").Answer} answer */
export function answerOf({ top, unknown, nearest }) {
  const [first] = top;
  if (first === undefined) return [];
  return [
    make(
      "p",
      { class: unknown ? "first unknown" : "first" },
      unknown ? make("span", { class: "name" }, say("unknown")) : make("bdi", { class: "name" }, shown(first.label)),
      unknown ? null : make("span", {}, percent(first.probability)),
    ),
    unknown ? make("p", { class: "quiet small" }, say("unknownWhy", { label: isolated(first.label) })) : null,
    make(
      "ol",
      { class: "others" },
      ...top
        .slice(0, 3)
        .map(({ label, probability }) =>
          make(
            "li",
            {},
            make("bdi", {}, shown(label)),
            bar(probability),
            make("span", { class: "share" }, percent(probability)),
          ),
        ),
    ),
    ...near(nearest),
  ];
}

/** @param {import("../../../web/studio.js").Near[]} photos */
function near(photos) {
  if (photos.length === 0) return [];
  return [
    make("h3", {}, say("nearest")),
    make("ul", { class: "nearest" }, ...pictures(photos.slice(0, 4))),
  ];
}

/** Photos with their classes, as items of a list. @param {import("../../../web/studio.js").Near[]} photos */
export function pictures(photos) {
  return photos.map(({ id, label }) => {
    const photo = store.byId.get(id);
    const image = photo
      ? make("img", { src: thumbnail(id, photo.mtime), alt: "" })
      : make("span", { class: "gone" }, say("gone"));
    return make("li", {}, image, make("bdi", { class: "small" }, shown(label)));
  });
}
