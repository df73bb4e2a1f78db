// What a reader has chosen and changed on the workbench, and the address that says it.
//
// A subject is a model and its pictures: {name, layers, heads, patches, grid, size,
// classToken, maps: names, pictures: [...], shared: how many of these everybody has}.
//
// state: model (a subject's name), picture, map ("raw", "rollout", or a map that came
// with the picture), layer, head (-1: their mean), query (0: class token or mean over
// queries, the patches count from 1), opacity, and what is changed:
//   hidden     patches that become no tokens
//   shuffle    0, or the seed of an order in which all patches lie
//   swaps      pairs of places whose patches change theirs, one pair after another
//   positions  whether tokens get their positions
//   silent     [{layer, head} or {layer, part: "attention" or "mlp"}, ...]
//   copy       null, or {from: a picture, layer: after how many blocks, tokens: from 0}:
//              whose states are copied from that picture; of none, it changes nothing

export const UNCHANGED = {
  hidden: [], shuffle: 0, swaps: [], positions: true, silent: [], copy: null,
};

/** What is chosen of a subject before anybody chooses. */
export const beginning = ({ name, layers, maps }) => ({
  model: name, picture: 0, map: maps[0], layer: layers - 1, head: -1, query: 0,
  opacity: 0.6, ...UNCHANGED,
});

/** Whether two states change the same. */
export const sameChanges = (one, other) =>
  Object.keys(UNCHANGED).every((name) => written(name, one) === written(name, other));

export const isChanged = (state) => !sameChanges(state, UNCHANGED);

/** `list` with an item more or, where it is there already, less. */
export function toggled(list, item) {
  const text = JSON.stringify(item);
  const others = list.filter((other) => JSON.stringify(other) !== text);
  return others.length < list.length ? others : [...list, item];
}

// ---- the address

const copies = (copy) => Boolean(copy?.tokens.length);
const numbers = (text) => text.split(".").filter(Boolean).map(Number);
const number = { write: String, read: (word) => (word ? Number(word) : NaN) };
const text = { write: String, read: String };
const list = { write: (all) => all.join("."), read: numbers };
const FIELDS = {
  model: text,
  picture: number,
  map: text,
  layer: number,
  head: number,
  query: number,
  opacity: number,
  hidden: list,
  shuffle: number,
  swaps: {
    write: (pairs) => pairs.map((pair) => pair.join("-")).join("."),
    read: (words) =>
      words.split(".").filter(Boolean).map((pair) => pair.split("-").map(Number)),
  },
  positions: { write: (on) => (on ? "on" : "off"), read: (word) => word !== "off" },
  silent: {
    write: (all) => all.map(({ layer, head, part }) => `${layer}-${head ?? part}`)
      .join("."),
    read: (words) => words.split(".").filter(Boolean).map((word) => {
      const [layer, what] = word.split("-");
      const part = /^\d+$/.test(what) ? { head: Number(what) } : { part: what };
      return { layer: Number(layer), ...part };
    }),
  },
  copy: {
    write: (copy) =>
      copies(copy) ? [copy.from, copy.layer, copy.tokens.join(".")].join("-") : "",
    read: (words) => {
      const [from, layer, tokens] = words.split("-");
      if (tokens === undefined) return null;
      return { from: Number(from), layer: Number(layer), tokens: numbers(tokens) };
    },
  },
};

const written = (name, state) => FIELDS[name].write(state[name]);

/** Whether a state needs a picture that only this reader has. */
export const isOwn = ({ picture, copy }, { shared }) =>
  picture >= shared || (copies(copy) && copy.from >= shared);

/** The part of an address behind # that says where `state` differs from the beginning,
 *  without the reader's own pictures. */
export function toAddress(whole, subject) {
  const start = beginning(subject);
  const { shared } = subject;
  const state = {
    ...whole,
    picture: whole.picture < shared ? whole.picture : start.picture,
    copy: whole.copy?.from < shared ? whole.copy : null,
  };
  const names = Object.keys(FIELDS).filter((name) =>
    name !== "model" && written(name, state) !== written(name, start));
  const said = [["model", state.model], ...names.map((name) => [name, written(name, state)])];
  return said.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}

/** The state that an address says, of the subject it names, or of the first one; what
 *  it says amiss is left out. */
export function fromAddress(hash, subjects) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const subject = subjects.find(({ name }) => name === said.get("model")) ?? subjects[0];
  const state = beginning(subject);
  if (said.has("model") && said.get("model") !== subject.name) return state;
  for (const name in FIELDS) {
    if (name === "model" || !said.has(name)) continue;
    const value = FIELDS[name].read(said.get(name));
    if (fits(name, value, subject)) state[name] = value;
  }
  return state;
}

/** Whether a reader of this subject could have chosen this. */
function fits(name, value, { layers, heads, patches, classToken, maps, shared }) {
  const among = (each, first, last) =>
    Number.isInteger(each) && each >= first && each <= last;
  const tokens = patches + Number(classToken);
  const different = (all) => new Set(all).size === all.length;
  return {
    picture: () => among(value, 0, shared - 1),
    map: () => maps.includes(value),
    layer: () => among(value, 0, layers - 1),
    head: () => among(value, -1, heads - 1),
    query: () => among(value, 0, patches),
    opacity: () => value >= 0 && value <= 1,
    hidden: () => different(value) && value.length < patches &&
      value.every((patch) => among(patch, 1, patches)),
    shuffle: () => among(value, 0, 2 ** 31),
    swaps: () => value.every((pair) => pair.length === 2 && different(pair) &&
      pair.every((patch) => among(patch, 1, patches))),
    positions: () => true,
    silent: () => different(value.map((one) => JSON.stringify(one))) && value.every(({ layer, head, part }) => among(layer, 0, layers - 1) &&
      (part ? ["attention", "mlp"].includes(part) : among(head, 0, heads - 1))),
    copy: () => value === null || among(value.from, 0, shared - 1) &&
      among(value.layer, 0, layers) && value.tokens.length && different(value.tokens) &&
      value.tokens.every((token) => among(token, 0, tokens - 1)),
  }[name]();
}
