// The cards, put together. No library, no request.
//
// data: title, cards. A card: name, question, asked (the number of an arm), prediction
//   (ours), arms. An arm: name, mean, spread (null for one run), runs. All in per cent.

import { frame, labelled, make } from "../frame/dom.js";
import { draw, legend } from "./chart.js";
import { enter, errors, outcome, reached, score } from "./score.js";

const START = 50; // gives nothing away

const LAYOUT = `
<p class="title"></p>
<p class="count"></p>
<p class="question"></p>
<p class="reference"></p>
<div class="controls"><div class="guess"></div><span class="value" aria-hidden="true">
  </span><button type="button" class="reveal">reveal</button></div>
<div class="chart"></div>
<p class="legend"></p>
<p class="said" role="status" aria-live="polite"></p>
<div class="controls"><button type="button" class="back">back</button>
  <button type="button" class="next">next card</button></div>
<p class="score"></p>
<button type="button" class="again">start again</button>`;

/** Draw into `element`, with the first card shown. */
export function mount(element, { title, cards }) {
  const find = frame(element, "vit-deck", LAYOUT);
  const slider = make("input", { type: "range", min: 0, max: 100, step: 1 });
  const [reveal, back, next, again] =
    [".reveal", ".back", ".next", ".again"].map(find);
  let guesses, revealed, shown;
  const own = {
    element,
    name: JSON.stringify([title, cards.map((card) => card.name)]),
    cards: cards.length,
    errors: () => [...revealed].map((at) => errors(cards[at], guesses[at])),
    changed: rate,
  };

  function begin() {
    guesses = cards.map(() => START);
    revealed = new Set(); // cards
    show(0);
  }

  function show(at) {
    shown = at;
    const { question, arms: [first] } = cards[at];
    find(".count").textContent = `card ${at + 1} of ${cards.length}`;
    find(".question").textContent = question;
    find(".reference").textContent =
      `To compare with: ${first.name}, ${reached(first)}.`;
    slider.value = guesses[at];
    paint();
  }

  /** All that depends on the guess, and on whether the card is revealed. */
  function paint() {
    const [card, guess, known] = [cards[shown], guesses[shown], revealed.has(shown)];
    slider.disabled = known;
    slider.setAttribute("aria-valuetext", `${guess} %`);
    find(".value").textContent = `${guess} %`;
    draw(find(".chart"), card, guess, known);
    legend(find(".legend"), card, guess, known);
    find(".said").textContent = known ? outcome(card, guess) : "";
    allow(reveal, !known);
    allow(back, shown > 0);
    allow(next, known && shown < cards.length - 1);
    for (const deck of decks) deck.changed(deck === own);
  }

  /** The score, once all cards are revealed; other decks change it, unheard. */
  function rate(aloud) {
    again.hidden = revealed.size < cards.length;
    const text = again.hidden ? "" : score(own, decks);
    const said = find(".score");
    said.setAttribute("aria-live", aloud ? "polite" : "off");
    if (said.textContent !== text) said.textContent = text;
  }

  function turn(step) {
    show(shown + step);
    if (!revealed.has(shown)) slider.focus();
  }

  element.setAttribute("role", "group");
  element.ariaLabel = title || "predictions";
  find(".title").textContent = title;
  find(".guess").append(labelled("your guess", slider), slider);
  find(".question").id = `${slider.id}-question`;
  find(".reference").id = `${slider.id}-reference`;
  slider.setAttribute("aria-describedby",
    `${find(".question").id} ${find(".reference").id}`);
  slider.addEventListener("input", () => {
    guesses[shown] = Number(slider.value);
    paint();
  });
  press(reveal, () => {
    revealed.add(shown);
    paint();
  });
  press(back, () => turn(-1));
  press(next, () => turn(1));
  press(again, () => {
    begin();
    slider.focus();
  });
  const decks = enter(own);
  begin();
}

// what is not allowed keeps the focus, and so its place in the order of the Tab key
const allow = (button, may) => button.setAttribute("aria-disabled", !may);

function press(button, act) {
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") act();
  });
}
