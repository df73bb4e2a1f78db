// How far off guesses are, and the words for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  enter, errors, outcome, reached, score,
} from "../../../vit_tutorial/explorer/js/deck/score.js";

const card = {
  asked: 1,
  prediction: 90.5,
  arms: [{ mean: 95.8, spread: 0.7 }, { mean: 38.1, spread: null }],
};

const deck = (name, cards, pairs, isConnected = true) =>
  ({ name, cards, errors: () => pairs, element: { isConnected } });

test("a guess is compared with the arm that is asked about", () => {
  const [mine, ours] = errors(card, 20);
  assert.ok(Math.abs(mine - 18.1) < 1e-9 && Math.abs(ours - 52.4) < 1e-9);
  assert.equal(outcome(card, 20), "It was right on 38.1 %; you said 20 %, we 90.5 %: " +
    "off by 18.1 and 52.4 points.");
});

test("a single run has no spread", () => {
  assert.deepEqual(card.arms.map(reached), ["95.8 \u00b1 0.7 %", "38.1 %"]);
});

test("a deck alone on its page scores itself, and others count by the card", () => {
  const one = deck("one", 2, [[1, 2], [4, 0]]);
  const own = "You were off by 2.5 points on average, we by 1.0.";
  assert.equal(score(one, new Set([one])), own);
  const half = deck("half", 3, [[10, 4]]);
  assert.equal(score(one, new Set([one, half])),
    `${own} All decks so far: 3 of 5 cards, you 5.0, we 2.0.`);
  const whole = deck("whole", 1, [[10, 4]]);
  assert.equal(score(one, new Set([whole, one])),
    `${own} All decks: 3 of 3 cards, you 5.0, we 2.0.`);
});

test("a cell that runs again replaces its deck, and no other", () => {
  const [gone, hidden] = [deck("one", 1, [], false), deck("two", 1, [], false)];
  enter(gone);
  enter(hidden); // a notebook may take away what is scrolled out of sight
  const [again, twin] = [deck("one", 1, []), deck("one", 1, [])];
  enter(again);
  assert.deepEqual([...enter(twin)], [hidden, again, twin]);
});
