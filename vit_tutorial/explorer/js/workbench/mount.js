// The workbench, put together: a model and its pictures, what it says of them, and what
// it says when something is changed.
//
// subjects: see state.js; each has also colours (256 of viridis, each a pixel of four
//   bytes as one number), outputs, classes (null when not given), quantizationLevels,
//   channels, title, bytes, model or address (see models.js), and pictures: {title,
//   pixels (Y, X, 4), label (null: not known), scores: maps that came with it, by name,
//   (patches)}; paints: whether a reader can paint more of them.

import { classBars } from "../explorer/bars.js";
import { weightsOf } from "../explorer/decode.js";
import { place } from "../explorer/sentences.js";
import { frame } from "../frame/dom.js";
import { believing } from "./believing.js";
import { changing } from "./changing.js";
import { choosing } from "./choosing.js";
import { arrangement, rearranged } from "./edits.js";
import { LAYOUT } from "./layout.js";
import { lens } from "./lens.js";
import { computer } from "./models.js";
import { pictures } from "./pictures.js";
import { guess, MAPS, readFrom, sentence } from "./sentences.js";
import { drawPane, onTouches } from "./stage.js";
import {
  beginning, fromAddress, isChanged, isOwn, sameChanges, toAddress,
} from "./state.js";
import { tour } from "./tour.js";

const KEYS = "Arrow keys move a cursor, space is a click.";

/** Fill `element` with the workbench on `subjects`. */
export function mount(element, subjects) {
  const find = frame(element, "vit-workbench", LAYOUT);
  element.setAttribute("role", "region");
  Object.assign(element, { ariaLabel: "workbench", tabIndex: -1 });
  const computers = new Map(); // by subject, from when it is first asked
  let state = fromAddress(location.hash, subjects);
  let tool = "look";
  let cursor = null; // the patch that the keys have gone to
  let known = {}; // answers {before, after}, the picture and the state they are of
  let asked = 0; // how often answers were asked for

  const subjectNow = () => subjects.find(({ name }) => name === state.model);
  const computerNow = () => {
    const subject = subjectNow();
    if (!computers.has(subject)) computers.set(subject, computer(subject));
    return computers.get(subject);
  };

  // ---- what the reader does

  const drawChoices = choosing(find, subjects, {
    move,
    subject: (name) => go(beginning(subjects.find((one) => one.name === name))),
  });
  const board = changing(find, { move, tool: take });
  const drawPictures = pictures(element, find, {
    chosen: (picture) => move({ picture }),
    added(picture, subject) {
      const at = subject.pictures.push(picture) - 1;
      if (subject === subjectNow()) move({ picture: at });
      return at;
    },
    changed(at, picture) {
      subjectNow().pictures[at] = picture;
      move({ picture: at });
    },
    problem,
  });
  const panes = ["before", "after"].map((name) => find(`.${name} canvas`));
  for (const canvas of panes)
    onTouches(canvas, () => subjectNow().grid, {
      touched: board.touched,
      at(patch) {
        cursor = patch;
        draw();
      },
      paints: () => tool === "hide",
    });
  const drawLens = lens(find);
  const curves = believing(find);
  find(".curves").addEventListener("toggle", draw);
  const guide = tour(find, { move, tool: take });
  find(".guide").addEventListener("click", () => guide.start(context()));
  find(".reset").addEventListener("click", () => {
    board.forget();
    go(beginning(subjectNow()));
  });
  find(".link").addEventListener("click", copyLink);
  addEventListener("hashchange", open);
  document.addEventListener("click", ({ target }) => {
    // a link to what is shown already changes no address
    if (target.closest?.("a[href]")?.href === location.href) open();
  });

  /** Go to the state that the address says. */
  function open() {
    // a place on the page; without one it is the address of the beginning
    if (location.hash && !location.hash.includes("model=")) return;
    element.scrollIntoView();
    element.focus({ preventScroll: true }); // the keys go on here, not at the link
    board.forget();
    go(fromAddress(location.hash, subjects));
  }

  function move(part) {
    go({ ...state, ...part });
  }

  function take(name) {
    tool = name;
    for (const canvas of panes) canvas.style.touchAction = tool === "hide" ? "none" : "";
    draw();
  }

  function problem(line) {
    find(".problem").textContent = line;
  }

  async function copyLink() {
    const said = find(".said");
    const subject = subjectNow();
    try {
      const link = new URL(`#${toAddress(state, subject)}`, location.href);
      await navigator.clipboard.writeText(link.href);
      said.textContent = isOwn(state, subject)
        ? "copied; your own picture stays here, the link does not have it" : "copied";
    } catch {
      said.textContent = "this browser does not let it be copied: it is in the address";
    }
  }

  // ---- what follows

  /** Go to a state: show it, say it in the address, and ask for its answers. */
  async function go(next) {
    if (next.model !== state.model) clear();
    state = next;
    problem("");
    const subject = subjectNow();
    const { scores } = subject.pictures[state.picture];
    if (!(state.map in MAPS || state.map in scores)) state.map = "raw";
    try {
      history.replaceState(null, "", `#${toAddress(state, subject)}`);
    } catch { // some browsers take so many a minute; a copied link is right all the same
    }
    find(".said").textContent = "";
    draw();
    await ask(subject);
  }

  async function ask(subject) {
    const mine = ++asked;
    const of = state;
    const picture = subject.pictures[state.picture];
    const waits = !computers.has(subject) && subject.address;
    element.ariaBusy = "true";
    if (waits) say(`The model is loaded, ${(subject.bytes / 1e6).toFixed(1)} MB ...`);
    try {
      const answers = await computerNow().answer(state);
      if (mine !== asked) return; // a later one is on its way
      known = { picture, of, answers };
      draw();
    } catch ({ message }) {
      computers.get(subject)?.stop();
      computers.delete(subject); // to be loaded again
      if (mine !== asked) return;
      clear();
      problem(message);
    }
    say("");
    element.ariaBusy = "false";
  }

  /** Nothing is known of what is shown. */
  function clear() {
    for (const part of [".bars", ".readings", ".legend"])
      find(part).replaceChildren();
    for (const part of [".prediction b", ".prediction span", ".before b", ".after b",
      ".sentence"])
      find(part).textContent = "";
    find(".reminder").hidden = true;
    for (const canvas of panes) canvas.ariaLabel = KEYS;
    curves.forget();
  }

  const say = (line) => (find(".busy").textContent = line);

  /** What is drawn; `answers` only to the present state, `before` to its picture. */
  function context() {
    const subject = subjectNow();
    const here = known.picture === subject.pictures[state.picture];
    const answers = here && sameChanges(known.of, state) ? known.answers : null;
    return { subject, state, tool, answers, before: here ? known.answers.before : null };
  }

  function draw() {
    const now = context();
    drawChoices(now);
    drawPictures(now);
    board.draw(now);
    drawPanes(now);
    find(".lens p span").textContent = readFrom(now.subject);
    if (now.answers) drawAnswers(now);
    guide.draw(now);
  }

  function drawPanes({ subject, state, answers, before }) {
    const [left, right] = panes;
    // what is hidden has no focus
    if (!isChanged(state) && document.activeElement === right) left.focus();
    const { pixels, scores } = subject.pictures[state.picture];
    const changed = rearranged(pixels, arrangement(state, subject.patches), subject);
    const { opacity, hidden, query, map } = state;
    const framed = [...new Set([query, cursor, ...board.framed(context())])]
      .filter(Boolean);
    const look = (answer) => {
      if (map in scores) return { weights: scores[map], largest: 255 };
      return answer ? mapOf(answer, subject, state) : { weights: null };
    };
    find(".after").hidden = !isChanged(state);
    drawPane(left, pixels, subject, { ...look(before), opacity, hidden: [], framed });
    drawPane(right, changed, subject,
      { ...(map in scores ? { weights: null } : look(answers?.after)), opacity, hidden,
        framed });
  }

  function drawAnswers({ subject, state, answers }) {
    const { before, after } = answers;
    const whole = isChanged(state) ? before : after;
    find(".before b").textContent = guess(subject, before);
    find(".after b").textContent = guess(subject, after);
    find(".reminder").hidden = before === after;
    const { classes } = subject;
    const { label } = subject.pictures[state.picture];
    const labels = [isChanged(state) ? null : label]; // another picture by now
    classBars(find, { classes, labels })({ image: 0 }, after, whole);
    const line = sentence(subject, state, answers);
    find(".sentence").textContent = line;
    const at = cursor ? ` The cursor is on patch ${place(cursor, subject)}.` : "";
    for (const canvas of panes) canvas.ariaLabel = `${line}${at} ${KEYS}`;
    drawLens(subject, before, after);
    if (find(".curves").open) {
      const { weights } = state.map in MAPS
        ? mapOf(before, subject, state)
        : { weights: subject.pictures[state.picture].scores[state.map] };
      const picture = subject.pictures[state.picture];
      curves.draw(subject, computerNow(), picture, weights, before);
    }
  }

  draw();
  ask(subjectNow());
}

/** The weights of the chosen map of an answer: {weights, largest}. */
function mapOf(answer, subject, { map, layer, head, query }) {
  return weightsOf(answer, subject, { mode: map, layer, head }, query);
}
