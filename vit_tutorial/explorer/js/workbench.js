// What is bundled of the workbench: it fills the page that holds one.

import { mountNext } from "./workbench/page.js";

mountNext();
