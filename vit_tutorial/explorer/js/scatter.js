// What is bundled of the points: they fill a page, and no kernel stands behind them.

import { takeNext } from "./frame/page.js";
import { mount } from "./scatter/mount.js";

const waiting = takeNext("vit-scatter");
if (waiting) mount(waiting.element, waiting.data);
