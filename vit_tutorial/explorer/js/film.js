// What is bundled of a film: it fills a page, and no kernel stands behind it.

import { mount } from "./film/mount.js";
import { takeNext } from "./frame/page.js";

const waiting = takeNext("vit-film");
if (waiting) mount(waiting.element, waiting.data);
