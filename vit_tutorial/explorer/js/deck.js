// What is bundled of the cards: they fill a page, and no kernel stands behind them.

import { mount } from "./deck/mount.js";
import { takeNext } from "./frame/page.js";

const waiting = takeNext("vit-deck");
if (waiting) mount(waiting.element, waiting.data);
