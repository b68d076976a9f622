// Take away: the model as files, each with its proof; the page for phones; the report.

import { start } from "./actions.js";
import { bar, element, make, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { code } from "./phone.js";
import { doing, language, say, size } from "./say.js";
