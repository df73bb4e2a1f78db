// What a reader changes on the workbench: kept in an address, and as the engine takes it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { believing } from "../../../vit_tutorial/explorer/js/workbench/believing.js";
import { changing } from "../../../vit_tutorial/explorer/js/workbench/changing.js";
import {
  arrangement, changes, options, rearranged, shuffled,
} from "../../../vit_tutorial/explorer/js/workbench/edits.js";
import {
  area, countsOf, gap, meanCurve, orderOf,
} from "../../../vit_tutorial/explorer/js/workbench/faith.js";
import { LAYOUT } from "../../../vit_tutorial/explorer/js/workbench/layout.js";
import { pictures } from "../../../vit_tutorial/explorer/js/workbench/pictures.js";
import { sentence } from "../../../vit_tutorial/explorer/js/workbench/sentences.js";
import { onTouches } from "../../../vit_tutorial/explorer/js/workbench/stage.js";
import {
  beginning, fromAddress, isChanged, isOwn, toAddress, toggled, UNCHANGED,
} from "../../../vit_tutorial/explorer/js/workbench/state.js";
import { STEPS, tour } from "../../../vit_tutorial/explorer/js/workbench/tour.js";
import { inside, page, saying, tell } from "./dom.mjs";

const SUBJECT = {
  name: "one", layers: 3, heads: 2, patches: 6, grid: [2, 3], size: [4, 6], channels: 3,
  outputs: 2, classes: ["cat", "dog"], classToken: true, quantizationLevels: 255,
  maps: ["raw", "rollout", "gradient x attention"], shared: 2,
  pictures: [{ title: "first" }, { title: "second" }],
};
const SUBJECTS = [SUBJECT, { ...SUBJECT, name: "other", layers: 1, maps: ["raw"] }];
const EVERYTHING = {
  model: "one", picture: 1, map: "gradient x attention", layer: 0, head: 1, query: 4,
  opacity: 0.25, hidden: [2, 6], shuffle: 17, swaps: [[1, 2], [3, 6]], positions: false,
  silent: [{ layer: 1, head: 0 }, { layer: 2, part: "mlp" }],
  copy: { from: 0, layer: 3, tokens: [0, 6] },
};

test("an address says a state, and nothing of what nobody chose", () => {
  const words = toAddress(EVERYTHING, SUBJECT);
  assert.match(words, /^[\w=&.%-]+$/); // no character that a link would lose
  assert.deepEqual(fromAddress(`#${words}`, SUBJECTS), EVERYTHING);
  assert.equal(toAddress(beginning(SUBJECT), SUBJECT), "model=one");
  assert.deepEqual(fromAddress("", SUBJECTS), beginning(SUBJECT));
  assert.deepEqual(fromAddress("#model=other", SUBJECTS), beginning(SUBJECTS[1]));
});

test("what an address says amiss is left out", () => {
  const amiss = [
    "picture=2", "picture=x", "map=none", "layer=3", "head=2", "head=-2", "query=7",
    "opacity=2", "opacity=x", "opacity=", "silent=0-0.0-0", "copy=0-2-", "hidden=7", "hidden=1.1", "hidden=1.2.3.4.5.6",
    "shuffle=0.5", "swaps=1-1", "swaps=1-9", "swaps=1", "silent=3-0", "silent=0-2",
    "silent=0-head", "silent=0", "copy=2-0-0", "copy=0-4-0", "copy=0-0-7", "copy=x",
    "nothing=1", "model=none", "__proto__=1",
  ];
  for (const words of amiss)
    assert.deepEqual(fromAddress(`#${words}`, SUBJECTS), beginning(SUBJECT), words);
  // nor is a state of another model any of this one's
  assert.deepEqual(fromAddress("#model=none&layer=1", SUBJECTS), beginning(SUBJECT));
  const { layer, hidden } = fromAddress("#layer=1&hidden=9&head=0", SUBJECTS);
  assert.deepEqual([layer, hidden], [1, []]); // the rest holds
});

test("a link has nothing of a picture that only one reader has", () => {
  const own = { ...beginning(SUBJECT), picture: 2, layer: 1 };
  assert.ok(isOwn(own, SUBJECT) && !isOwn(beginning(SUBJECT), SUBJECT));
  assert.equal(toAddress(own, SUBJECT), "model=one&layer=1");
  const donor = { ...EVERYTHING, picture: 0, copy: { from: 2, layer: 0, tokens: [0] } };
  assert.ok(isOwn(donor, SUBJECT));
  assert.equal(fromAddress(toAddress(donor, SUBJECT), SUBJECTS).copy, null);
});

test("a state is changed by what changes the answer, and put back", () => {
  for (const name in UNCHANGED)
    assert.ok(isChanged({ ...UNCHANGED, [name]: EVERYTHING[name] }), name);
  assert.ok(!isChanged({ ...EVERYTHING, ...UNCHANGED }));
  assert.deepEqual(toggled([{ layer: 1, head: 0 }], { layer: 1, head: 0 }), []);
  assert.deepEqual(toggled([1], 2), [1, 2]);
});

test("to copy no states changes nothing", () => {
  const none = { ...beginning(SUBJECT), copy: { from: 1, layer: 2, tokens: [] } };
  assert.ok(!isChanged(none));
  assert.equal(toAddress(none, SUBJECT), "model=one");
  assert.ok(!isOwn({ ...none, copy: { ...none.copy, from: 2 } }, SUBJECT));
  assert.ok(isChanged({ ...none, copy: { ...none.copy, tokens: [0] } }));
});

test("patches are shuffled first and swapped then", () => {
  const order = shuffled(6, 17);
  assert.deepEqual([...order].sort(), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(order, shuffled(6, 17)); // a link shows everybody the same
  assert.notDeepEqual(order, shuffled(6, 18));
  const swapped = arrangement({ shuffle: 17, swaps: [[1, 2], [2, 6]] }, 6);
  const [one, two, ...rest] = order;
  assert.deepEqual(swapped, [two, rest[3], ...rest.slice(0, 3), one]);
});

test("every order is as likely as every other", () => {
  const firsts = Array.from({ length: 600 }, (_, seed) => shuffled(3, seed + 1).join(""));
  const counts = Object.values(Object.groupBy(firsts, (order) => order));
  assert.equal(counts.length, 6);
  for (const { length } of counts) assert.ok(length > 60 && length < 140, `${length}`);
});

test("pixels go with their patches", () => {
  const picture = Uint8Array.from({ length: 4 * 6 * 4 }, (_, at) => at);
  const same = rearranged(picture, [0, 1, 2, 3, 4, 5], SUBJECT);
  assert.deepEqual(same, picture);
  const moved = rearranged(picture, [5, 1, 2, 3, 4, 0], SUBJECT);
  const pixel = (bytes, y, x) => [...bytes.slice(4 * (6 * y + x), 4 * (6 * y + x) + 4)];
  assert.deepEqual(pixel(moved, 0, 1), pixel(picture, 2, 5));
  assert.deepEqual(pixel(moved, 3, 4), pixel(picture, 1, 0));
  assert.deepEqual(pixel(moved, 1, 2), pixel(picture, 1, 2));
});

test("the engine is told what is left", () => {
  const asked = options({ ...EVERYTHING }, SUBJECT);
  assert.deepEqual(asked, {
    keep: [0, 2, 3, 4], positions: false, silence: EVERYTHING.silent,
  });
  assert.ok(!("keep" in options(UNCHANGED, SUBJECT)));
});

test("changes are said in words, before and after in a sentence", () => {
  assert.deepEqual(changes(EVERYTHING, SUBJECT), [
    "all patches shuffled", "2 pairs of patches swapped", "2 of 6 patches hidden",
    "no positions", "head 0 of layer 2 silent", "MLP of layer 3 silent",
    "2 states copied from first after layer 3",
  ]);
  const none = { ...EVERYTHING, copy: { from: 0, layer: 1, tokens: [] } };
  assert.equal(changes(none, SUBJECT).length, 6); // of a copy of nothing, nothing
  const before = { probabilities: Float32Array.from([0.9, 0.1]) };
  const after = { probabilities: Float32Array.from([0.2, 0.8]) };
  const whole = { ...EVERYTHING, ...UNCHANGED, picture: 0 };
  const alone = sentence(SUBJECT, whole, { before, after: before });
  assert.equal(alone, "first: cat, 90 %.");
  const hidden = { ...whole, hidden: [1] };
  assert.equal(sentence(SUBJECT, hidden, { before, after }),
    "first: cat, 90 %. With 1 of 6 patches hidden: now dog, 80 %.");
  assert.match(sentence(SUBJECT, hidden, { before, after: before }), /: still cat/);
});

test("curves are those of Python", () => {
  assert.deepEqual(orderOf([0.1, 0.5, 0.1, 0.7]), [3, 1, 0, 2]);
  const python = { // torch.linspace(first, patches, 13).round().unique()
    "6 true": [0, 1, 2, 3, 4, 5, 6],
    "36 true": [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36],
    "36 false": [1, 4, 7, 10, 13, 16, 18, 21, 24, 27, 30, 33, 36],
    "1 false": [1],
  };
  for (const [words, counts] of Object.entries(python)) {
    const [patches, token] = words.split(" ");
    const found = countsOf({ patches: Number(patches), classToken: token === "true" });
    assert.deepEqual(found, counts, words);
  }
  assert.equal(area([0, 1, 1], [0, 1, 4]), (0.5 + 3) / 4);
  assert.equal(area([0.3], [1]), 0.3);
  const [one, two] = [[0, 1], [1, 1]].map((curve) => Float32Array.from(curve));
  assert.equal(gap({ deletion: one, insertion: two }, [0, 2]), 0.5);
  const mean = meanCurve([{ deletion: one, insertion: two },
    { deletion: two, insertion: two }]);
  assert.deepEqual([...mean.deletion, ...mean.insertion], [0.5, 1, 1, 1]);
});

/** The curves, with their parts; each that is asked for waits in `asked` as come(height
 *  of insertion) and fail(message). */
function curves(context) {
  const find = page(context);
  const asked = [];
  const compute = {
    curve: (picture, order, counts) => new Promise((resolve, reject) => {
      const curve = (value) => new Float32Array(counts.length).fill(value);
      asked.push({
        come: (height) => resolve({ deletion: curve(0), insertion: curve(height) }),
        fail: (message) => reject(new Error(message)),
      });
    }),
  };
  const before = { probabilities: [0.1, 0.9] };
  const { draw, forget } = believing(find);
  const ask = (picture, map) => draw(SUBJECT, compute, picture, map, before);
  return { find, asked, ask, forget };
}

const turn = () => new Promise((go) => setTimeout(go));

test("a map that is left is not judged when its curve comes", async (context) => {
  const { find, asked, ask } = curves(context);
  const picture = {};
  ask(picture, [6, 5, 4, 3, 2, 1]);
  await turn();
  ask(picture, [1, 2, 3, 4, 5, 6]);
  asked[0].come(0.25);
  await turn();
  assert.match(find(".verdict").textContent, /are being computed/);
  assert.equal(asked.length, 2); // and no random order for the first
  asked[1].come(0.75);
  await turn();
  assert.match(find(".verdict").textContent, /this map 0.75/);
});

test("curves that fail or are forgotten are asked for again", async (context) => {
  const { find, asked, ask, forget } = curves(context);
  const [picture, map] = [{}, [6, 5, 4, 3, 2, 1]];
  const shown = () =>
    [find(".charts").children.length, find(".curves").ariaBusy, find(".verdict").textContent];
  ask(picture, map);
  await turn();
  assert.equal(find(".curves").ariaBusy, "true");
  asked[0].fail("no engine");
  await turn();
  assert.deepEqual(shown(), [0, "false", "no engine"]);
  ask(picture, map);
  await turn();
  asked[1].come(0.5);
  await turn();
  forget();
  assert.deepEqual(shown(), [0, "false", ""]);
  asked[2].come(0.25); // a random order of what is forgotten
  await turn();
  assert.deepEqual(shown(), [0, "false", ""]);
  ask(picture, map);
  await turn();
  const [charts, , verdict] = shown();
  assert.equal(charts, 2);
  assert.match(verdict, /this map 0.50/); // it is known from before
});

test("of a verdict that grows only the end is said aloud", async (context) => {
  const { find, asked, ask } = curves(context);
  ask({}, [6, 5, 4, 3, 2, 1]);
  const found = [];
  for (let at = 0; at < 4; at++) {
    await turn();
    found.push(find(".verdict").ariaLive);
    asked[at].come(0.5);
  }
  await turn();
  assert.deepEqual(found, ["off", "off", "off", "off"]);
  assert.match(find(".verdict").textContent, /the mean of 3/);
  assert.equal(find(".verdict").ariaLive, "polite");
  ask({}, [1, 2, 3, 4, 5, 6]);
  await turn();
  asked[4].fail("no engine");
  await turn();
  assert.equal(find(".verdict").ariaLive, "polite");
  assert.match(LAYOUT, /class="verdict" role="status"/);
});

test("no tour speaks of a class token that is not there", () => {
  for (const classToken of [true, false]) {
    const subject = { ...SUBJECT, classToken };
    const { says } = STEPS.find(({ title }) => title === "The answer forms");
    const lens = Float32Array.from([0.9, 0.1, 0.2, 0.8, 0.3, 0.7, 0.1, 0.9]);
    assert.equal(says({ subject, answers: { after: { lens } } }), "Read with the head, " +
      `${classToken ? "the class token" : "the mean of the patches"} says dog ` +
      "after layer 1 of 3, and stays with it.");
    const { says: tokens } = STEPS.find(({ title }) => title === "Patches become tokens");
    assert.equal(/class token/.test(tokens({ subject })), classToken);
  }
});

test("a tour has eight to ten steps, none done before it is begun", () => {
  assert.ok(STEPS.length >= 8 && STEPS.length <= 10);
  for (const { sets, done, title } of STEPS) {
    const part = typeof sets === "function" ? sets(SUBJECT) : sets;
    const state = { ...beginning(SUBJECT), ...UNCHANGED, ...part };
    assert.ok(!done(state, state), title);
  }
});

/** A canvas of 3 x 3 patches, each of 10 pixels, that is listened to; what was heard of
 *  it; and the tool and the grid, as they are now. */
function stage(context) {
  const canvas = page(context)("canvas");
  Object.assign(canvas, { clientWidth: 30, clientHeight: 30 });
  const now = { paints: false, grid: [3, 3] };
  const heard = [];
  onTouches(canvas, () => now.grid, {
    touched: (...touch) => heard.push(touch),
    at() {},
    paints: () => now.paints,
  });
  const point = (type, patch, buttons) => {
    const [offsetY, offsetX] = [Math.floor((patch - 1) / 3), (patch - 1) % 3]
      .map((cell) => 10 * cell + 5);
    tell(canvas, type, { button: 0, buttons, offsetX, offsetY });
  };
  return { canvas, now, heard, point };
}

test("a stroke is of a button that is down", (context) => {
  const { now, heard, point } = stage(context);
  now.paints = true;
  point("pointerdown", 5, 1); // and up again where the canvas does not hear it
  heard.length = 0;
  point("pointermove", 1, 0);
  point("pointermove", 2, 0);
  assert.deepEqual(heard, []);
  point("pointerdown", 1, 1);
  for (const patch of [1, 2, 3]) point("pointermove", patch, 1);
  point("pointerup", 3, 0);
  point("pointermove", 6, 1);
  assert.deepEqual(heard, [[1, true], [2, false], [3, false]]);
});

test("only a tool that paints acts where a finger goes down", (context) => {
  const { now, heard, point } = stage(context);
  point("pointerdown", 5, 1);
  point("pointermove", 8, 1);
  point("pointercancel", 8, 0); // the page scrolls
  assert.deepEqual(heard, []);
  for (const paints of [false, true]) {
    now.paints = paints;
    point("pointerdown", 5, 1);
    point("pointerup", 5, 0);
    point("click", 5, 0);
    assert.deepEqual(heard.splice(0), [[5, true]]);
  }
});

test("the keys find no patch that a smaller grid lacks", (context) => {
  const { canvas, now, heard } = stage(context);
  const press = (key) => tell(canvas, "keydown", { key });
  press(" ");
  assert.deepEqual(heard.splice(0), [[1, true]]);
  for (const key of ["ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", " "])
    press(key);
  assert.deepEqual(heard.splice(0), [[9, true]]);
  now.grid = [2, 2];
  press(" ");
  assert.deepEqual(heard, [[3, true]]); // the lowest row, the first column
});

/** The board of changes, with its parts; all that it has moved and chosen is drawn. */
function board(context) {
  const find = page(context);
  const now = { subject: SUBJECT, state: beginning(SUBJECT), tool: "look" };
  const draw = (part) => made.draw({ ...Object.assign(now, part) });
  const made = changing(find, {
    move: (part) => draw({ state: { ...now.state, ...part } }),
    tool: (tool) => draw({ tool }),
  });
  draw({});
  return { ...made, find, now, draw };
}

test("a patch waits for its swap until something else begins", (context) => {
  const { touched, framed, forget, find, now, draw } = board(context);
  draw({ tool: "swap" });
  const other = { ...SUBJECT, name: "other" };
  const begin = {
    subject: () => draw({ subject: other, state: beginning(other) }),
    tool: () => ["look", "swap"].forEach((tool) => draw({ tool })),
    back: () => tell(saying(find(".switches"), "put everything back"), "click"),
    forget,
  };
  for (const name in begin) {
    touched(6, true);
    assert.deepEqual(framed(now), [6], name);
    begin[name]();
    assert.deepEqual(framed(now), [], name);
  }
  touched(1, true);
  draw({}); // an answer came
  touched(2, true);
  assert.deepEqual(now.state.swaps, [[1, 2]]);
});

test("states are copied from nowhere at first, then from each picture", (context) => {
  const { find } = board(context);
  const options = inside(find(".copying")).filter(({ value, textContent }) =>
    textContent && value !== undefined);
  assert.deepEqual(options.map(({ value, textContent }) => [Number(value), textContent]),
    [[-1, "nowhere"], [0, "first"], [1, "second"]]);
});

test("a picture joins the row of the model for which it was read", async (context) => {
  const find = page(context);
  let read = null; // ends the reading of a file
  globalThis.createImageBitmap = () => new Promise((resolve) => (read = () =>
    resolve({ width: 6, height: 4, close() {} })));
  context.after(() => delete globalThis.createImageBitmap);
  const added = new Promise((resolve) => {
    const workbench = find("workbench");
    const draw = pictures(workbench, find, {
      added: (picture, subject) => resolve([picture.title, picture.pixels.length, subject]),
      problem: (line) => line && resolve(line),
    });
    draw({ subject: SUBJECT, state: beginning(SUBJECT) });
    const clipboardData = { files: [{ name: "mine" }] };
    tell(workbench, "paste", { clipboardData });
    const other = { ...SUBJECT, name: "other", size: [8, 12], pictures: [] };
    draw({ subject: other, state: beginning(other) });
    read();
  });
  assert.deepEqual(await added, ["mine", 4 * 6 * 4, SUBJECT]);
});

test("a picture that joins or changes leaves the buttons of the others", (context) => {
  const find = page(context);
  const chosen = [];
  const draw = pictures(find("workbench"), find, { chosen: (at) => chosen.push(at) });
  const [one, two, three, four] = ["one", "two", "three", "four"].map((title) =>
    ({ title, pixels: new Uint8Array(4 * 6 * 4) }));
  const buttons = (all, picture) => {
    draw({ subject: { ...SUBJECT, pictures: all }, state: { picture } });
    const made = [...find(".gallery").children];
    assert.deepEqual(made.map(({ title }) => title), all.map(({ title }) => title));
    assert.deepEqual(made.map(({ ariaPressed }) => ariaPressed),
      all.map((_, at) => at === picture));
    return made;
  };
  const first = buttons([one, two], 0);
  const joined = buttons([one, two, three], 2);
  assert.ok(joined[0] === first[0] && joined[1] === first[1]);
  const changed = buttons([one, four, three], 1);
  assert.ok(changed[0] === first[0] && changed[2] === joined[2]);
  for (const made of changed) tell(made, "click");
  assert.deepEqual(chosen, [0, 1, 2]);
  assert.equal(buttons([four], 0).length, 1);
});

test("each step of a tour begins with the tool that asks", (context) => {
  const find = page(context);
  const now = { subject: SUBJECT, state: EVERYTHING, tool: "hide", answers: null };
  const draw = (part) => guide.draw({ ...Object.assign(now, part) });
  const guide = tour(find, {
    move: (part) => draw({ state: { ...now.state, ...part } }),
    tool: (tool) => draw({ tool }),
  });
  draw({});
  guide.start({ ...now });
  const panel = find(".tour");
  for (let step = 0; step < STEPS.length; step++) {
    assert.deepEqual([now.tool, now.state.hidden], ["look", []], STEPS[step].title);
    draw({ tool: "swap" });
    tell(saying(panel, step < STEPS.length - 1 ? "next" : "end"), "click");
  }
  assert.deepEqual([now.tool, now.state], ["hide", EVERYTHING]); // the reader's own
});
