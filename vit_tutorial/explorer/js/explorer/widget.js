// The explorer in a live notebook: the state is the widget's; both sides may move it.

import { bytesOf, follow, read, save } from "../frame/widget.js";
import { decode } from "./decode.js";
import { mount } from "./mount.js";
import { STATE } from "./state.js";

/** What anywidget calls to show `model` in `el`; returns what ends it. */
export function render({ model, el }) {
  const data = { state: read(model, STATE) };
  const view = (bytes) => (bytes.byteLength ? decode(bytesOf(bytes), data) : null);
  const take = {
    metadata: () => Object.assign(data, model.get("metadata")),
    pictures: () => (data.pictures = model.get("pictures").map(bytesOf)),
    views: () => (data.views = model.get("views").map(view)),
    masked: () => (data.masked = view(model.get("masked"))),
  };
  for (const name in take) take[name]();
  const mounted = mount(el, data, {
    changed: (moved) => save(model, moved),
    upload: (pixels, name) => model.send({ name }, undefined, [pixels.buffer]),
  });
  const events = { "msg:custom": ({ problem }) => mounted.problem(problem) };
  for (const name of [...Object.keys(take), ...STATE])
    events[`change:${name}`] = () => {
      take.metadata(); // the events of one message come in any order
      take[name]?.();
      mounted.show(read(model, STATE));
    };
  const leave = follow(model, events);
  return () => {
    mounted.stop();
    leave();
  };
}
