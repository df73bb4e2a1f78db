// How far off guesses are, and the words for it. All values are in per cent.

const REGISTRY = Symbol.for("vit_tutorial.decks"); // scripts of all decks share it

/** The decks of this page, with `deck` among them. A deck has a name, an element and
 *  cards, is asked errors(), pairs [reader's, ours], one a revealed card, and is told
 *  changed(by itself). One of the same name that has left the page makes room. */
export function enter(deck) {
  const decks = (globalThis[REGISTRY] ??= new Set());
  for (const other of decks) {
    if (other.name === deck.name && !other.element.isConnected) decks.delete(other);
  }
  return decks.add(deck);
}

/** How far a guess and our prediction are from the asked arm's mean. */
export function errors({ arms, asked, prediction }, guess) {
  return [guess, prediction].map((value) => Math.abs(value - arms[asked].mean));
}

/** An arm's mean, with its spread where there are several runs. */
export function reached({ mean, spread }) {
  const around = spread === null ? "" : ` \u00b1 ${spread.toFixed(1)}`;
  return `${mean.toFixed(1)}${around} %`;
}

/** What came out, and what was said before. */
export function outcome(card, guess) {
  const [mine, ours] = errors(card, guess).map((error) => error.toFixed(1));
  const { arms, asked, prediction } = card;
  return `It was right on ${arms[asked].mean.toFixed(1)} %; you said ${guess} %, we ` +
    `${prediction} %: off by ${mine} and ${ours} points.`;
}

/** A deck that is played to its end, and all of the page where it is not alone. */
export function score(own, decks) {
  const [mine, ours] = averages(own.errors());
  const said = `You were off by ${mine} points on average, we by ${ours}.`;
  if (decks.size === 1) return said;
  const all = [...decks].flatMap((deck) => deck.errors());
  const count = [...decks].reduce((sum, deck) => sum + deck.cards, 0);
  const soFar = all.length < count ? " so far" : "";
  const [yours, others] = averages(all);
  return `${said} All decks${soFar}: ${all.length} of ${count} cards, you ${yours}, ` +
    `we ${others}.`;
}

// in whole tenths, so that halves of one are rounded up, as a reader would
const averages = (pairs) => [0, 1].map((who) => {
  const sum = pairs.reduce((tenths, pair) => tenths + Math.round(10 * pair[who]), 0);
  return (Math.round(sum / pairs.length) / 10).toFixed(1);
});
