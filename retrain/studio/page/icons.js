// The drawings on buttons: lines of one weight, in the colour of the text.

import { draw } from "./dom.js";

const PATHS = {
  camera: "M4 8h3l2-3h6l2 3h3v11H4zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7",
  add: "M12 5v14M5 12h14",
  folder: "M3 6h6l2 2.5h10V19H3z",
  phone: "M8 3h8v18H8zM11 18h2",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  undo: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 0 8",
  pen: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  check: "M5 12.5l4.5 4.5L19 7.5",
  doctor:
    "M5 4v5a4.500 4.500 0 0 0 9 0V4M9.500 13.500v2a4.500 4.500 0 0 0 9 0v-2.500M18.500 13a1.800 1.800 0 1 0 0-3.600 1.800 1.800 0 0 0 0 3.600",
  photos: "M4 5h7v6H4zM13 5h7v6h-7zM4 13h7v6H4zM13 13h7v6h-7z",
  train: "M4 19V5M4 19h16M7 15l4-5 3 2.500 5-7",
  try: "M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13M15.500 15.500 20 20",
  take: "M12 4v11M7.500 11 12 15.500 16.500 11M5 19.500h14",
  close: "M6 6l12 12M18 6L6 18",
  down: "M6 9l6 6 6-6",
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  return draw("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, draw("path", { d: PATHS[name] }));
}
