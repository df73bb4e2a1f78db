// A guided tour from pixels to the answer: at each step one number and one thing to do.

import { guessOf, weightsOf } from "../explorer/decode.js";
import { className, number, percent, place } from "../explorer/sentences.js";
import { make } from "../frame/dom.js";
import { button } from "./controls.js";
import { readFrom } from "./sentences.js";
import { UNCHANGED } from "./state.js";

const RAW = { map: "raw", head: -1, query: 0 };

/** What the answer for the whole picture is, or has become: "The answer: dog 83 %, now
 *  12 %." */
function chance({ subject, answers: { before, after } }) {
  const index = guessOf(before);
  const [was, is] = [before, after].map(({ probabilities }) => percent(probabilities[index]));
  const name = className(subject, index);
  return `The answer: ${name} ${was}${before === after ? "" : `, now ${is}`}.`;
}

function shown({ subject, state, answers: { before } }) {
  const { layer, head, query } = state;
  return weightsOf(before, subject, { mode: "raw", layer, head }, query);
}

// Each step: title; says(context), with its number; task; done(state, what it was at the
// start of the step); at: the part of the layout it is about; sets: part of a state, or
// a function of the subject that gives it.
export const STEPS = [
  {
    title: "A picture is numbers",
    says({ subject: { size: [height, width], channels } }) {
      const count = (height * width * channels).toLocaleString("en");
      return `${height} rows of ${width} pixels, ${channels} values each: ${count} ` +
        "numbers. The model gets nothing else.";
    },
    task: "Choose another picture.",
    done: ({ picture }, was) => picture !== was.picture,
    at: ".pick",
    sets: RAW,
  },
  {
    title: "Patches become tokens",
    says({ subject: { grid: [rows, columns], patches, classToken } }) {
      const more = classToken ? `, and a class token joins them: ${patches + 1}` : "";
      return `${rows} by ${columns} patches, each a token of its own: ${patches}${more}. ` +
        "From here on the model knows no pixels.";
    },
    task: "Touch a patch: the map shows which tokens it draws from.",
    done: ({ query }) => query > 0,
    at: ".panes",
    sets: RAW,
  },
  {
    title: "Attention mixes tokens",
    says(context) {
      const { weights, largest, kept } = shown(context);
      const { patches, classToken } = context.subject;
      const even = number(1 / (patches + Number(classToken)));
      const where = place(1 + weights.indexOf(largest), context.subject);
      const own = classToken ? `; ${number(kept)} stays with the class token` : "";
      return `A row of weights sums to 1. Spread evenly each would be ${even}; the ` +
        `brightest patch, ${where}, has ${number(largest)}${own}.`;
    },
    task: "Move the slider of the layer to the first one.",
    done: ({ layer }) => layer === 0,
    at: ".controls",
    sets: ({ layers }) => ({ ...RAW, layer: layers - 1 }),
  },
  {
    title: "Each head asks its own question",
    says(context) {
      const { heads } = context.subject;
      const peaks = Array.from({ length: heads }, (_, head) => {
        const state = { ...context.state, head };
        const { weights, largest } = shown({ ...context, state });
        return weights.indexOf(largest);
      });
      const different = new Set(peaks).size;
      return `In this layer the ${heads} heads have their brightest patch at ` +
        `${different} different ${different === 1 ? "place" : "places"}.`;
    },
    task: "Look at one head after another.",
    done: ({ head }) => head >= 0,
    at: ".controls",
    sets: RAW,
  },
  {
    title: "Attention knows no order",
    says: (context) =>
      "To attention the tokens are a bag of patches; only positions tell their order. " +
      chance(context),
    task: "Press “no positions”.",
    done: ({ positions }) => !positions,
    at: ".switches",
    sets: RAW,
  },
  {
    title: "So places must be told",
    says: (context) =>
      "With positions each patch says where it lies; shuffled, it says another place. " +
      chance(context),
    task: "Press “shuffle the patches”, more than once.",
    done: ({ shuffle }) => shuffle > 0,
    at: ".switches",
    sets: RAW,
  },
  {
    title: "Hide what is bright",
    says: (context) =>
      "A hidden patch becomes no token at all. A bright patch whose leaving changes " +
      `nothing was looked at and not needed. ${chance(context)}`,
    task: "Let a click hide patches, and hide the brightest ones.",
    done: ({ hidden }) => hidden.length > 0,
    at: ".tools",
    sets: RAW,
  },
  {
    title: "Silence a head",
    says: (context) =>
      `What a silent head would have added is left out. ${chance(context)}`,
    task: "Press heads, all attention of a layer, or an MLP.",
    done: ({ silent }) => silent.length > 0,
    at: ".heads",
    sets: RAW,
  },
  {
    title: "The answer forms",
    says({ subject, answers: { after } }) {
      const classes = subject.outputs;
      const best = Array.from({ length: subject.layers + 1 }, (_, layer) => {
        const shares = [...after.lens.subarray(layer * classes, (layer + 1) * classes)];
        return shares.indexOf(Math.max(...shares));
      });
      let first = subject.layers; // from here on it is the final answer
      while (first > 0 && best[first - 1] === best.at(-1)) first--;
      const when = first ? `after layer ${first} of ${subject.layers}` : "from the start";
      return `Read with the head, ${readFrom(subject)} says ${
        className(subject, best.at(-1))} ${when}, and stays with it.`;
    },
    task: "Choose another picture: does it form as early?",
    done: ({ picture }, was) => picture !== was.picture,
    at: ".lens",
    sets: RAW,
  },
  {
    title: "May the map be believed?",
    says: () => "A map is a claim: these patches matter. The number under the curves " +
      "says how well leaving and coming patches bear it out, beside random orders.",
    task: "Choose another map, and compare its gap.",
    done: ({ map, layer, head }, was) =>
      map !== was.map || layer !== was.layer || head !== was.head,
    at: ".curves",
    sets: RAW,
  },
];

/** The tour in its part of the layout; `hear` has move(part of a state) and tool(name).
 *  Returns start(context) and draw(context), which words the present step anew. */
export function tour(find, hear) {
  const panel = find(".tour");
  const title = make("h2", { tabIndex: -1 });
  const [text, task] = [make("p"), make("p")];
  const buttons = make("p");
  let at = null; // which step, null: none
  let was = null; // the state it began with
  let now = null; // what was drawn
  let mine = null; // the reader's {state, tool} before the tour
  const back = button(buttons, "back", () => go(at - 1));
  const next = button(buttons, "next", () => go(at + 1));
  button(buttons, "leave the tour", leave);
  task.setAttribute("role", "status"); // says when it is done
  panel.append(title, text, task, buttons);
  panel.ariaLabel = "guided tour";
  panel.setAttribute("role", "region");

  function go(step) {
    if (step === STEPS.length) return leave();
    mark(false);
    hear.tool("look"); // a step that wants another lets the reader take it
    at = step;
    const { sets, at: part } = STEPS[at];
    const place = find(part);
    if (place.tagName === "DETAILS") place.open = true;
    was = { ...now.state, ...UNCHANGED,
      ...(typeof sets === "function" ? sets(now.subject) : sets) };
    mark(true);
    hear.move(was);
    title.focus({ preventScroll: true });
    place.scrollIntoView(); // at the top, for the tour stands at the bottom
  }

  function leave() {
    mark(false);
    at = null;
    panel.hidden = true;
    hear.tool(mine.tool);
    hear.move(mine.state);
    find(".guide").focus();
  }

  function mark(is) {
    if (at !== null) find(STEPS[at].at).classList.toggle("here", is);
  }

  function draw(context) {
    if (now?.subject !== context.subject) text.textContent = ""; // it is of another model
    now = context;
    if (at === null) return;
    const step = STEPS[at];
    const done = step.done(context.state, was);
    panel.hidden = false;
    title.textContent = `${at + 1} of ${STEPS.length}: ${step.title}`;
    if (context.answers) text.textContent = step.says(context);
    task.textContent = `${done ? "✓ " : ""}${step.task}`;
    back.disabled = at === 0;
    next.textContent = at === STEPS.length - 1 ? "end" : "next";
  }

  return {
    draw,
    start(context) {
      now = context;
      if (at === null) mine = context;
      go(0);
    },
  };
}
