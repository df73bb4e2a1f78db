// In a live notebook: `model` is anywidget's, the traits that Python and view share.

/** The values of some traits, by name. */
export const read = (model, names) =>
  Object.fromEntries(names.map((name) => [name, model.get(name)]));

/** Tell Python the values in `state`, by name of their trait. */
export function save(model, state) {
  for (const name in state) model.set(name, state[name]);
  model.save_changes();
}

/** Listen to `events`, functions by name; returns what ends it. */
export function follow(model, events) {
  for (const name in events) model.on(name, events[name]);
  return () => {
    for (const name in events) model.off(name, events[name]);
  };
}

/** The bytes of a trait, which arrives as a DataView: a Uint8Array. */
export const bytesOf = ({ buffer, byteOffset, byteLength }) =>
  new Uint8Array(buffer, byteOffset, byteLength);
