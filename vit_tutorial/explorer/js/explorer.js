// What is bundled of the explorer: a widget in a notebook, or what fills a page.

import { render } from "./explorer/widget.js";
import { mountNext } from "./explorer/page.js";

mountNext(); // on a page; in a notebook nothing waits

export default { render };
