// The explorer in a live notebook: the state is the widget's; both sides may move it.

import { bytesOf, follow, read, save } from "../frame/widget.js";
import { computing, modelsHere } from "./computing.js";
import { decode } from "./decode.js";
import { kernelOf, weightsFrom } from "./kernel.js";
import { mount } from "./mount.js";
import { liveNote } from "./sentences.js";
import { STATE } from "./state.js";

/** What anywidget calls to show `model` in `el`; returns what ends it. */
export function render({ model, el }) {
  const data = { state: read(model, STATE), masked: null };
  const take = {
    metadata: () => Object.assign(data, model.get("metadata")),
    pictures: () => (data.pictures = model.get("pictures").map(bytesOf)),
    views: () =>
      (data.views = model.get("views").map((bytes) => decode(bytesOf(bytes), data))),
  };
  for (const name in take) take[name]();

  const kernel = kernelOf(model);
  const here = modelsHere(data, weightsFrom(kernel));
  let inBrowser = model.get("in_browser");

  async function view({ image, epoch, dropped }) {
    try {
      if (inBrowser) return await here.view(data.pictures[image], epoch, dropped);
    } catch { // the kernel can do it all the same
      inBrowser = false;
      mounted.note(liveNote(inBrowser));
    }
    const { bytes } = await kernel.ask("view", { image, epoch, dropped });
    return decode(bytes, data);
  }

  const changed = computing(data, view, {
    redraw: () => mounted.show({}),
    problem: (line) => mounted.problem(line),
    restore: () => save(model, { dropped: [] }),
  });
  changed(data.state);
  const mounted = mount(el, data, {
    changed: (moved) => save(model, moved), // and its events do the rest
    upload: (pixels, name) =>
      kernel.ask("picture", { name }, [pixels.buffer])
        .catch(({ message }) => mounted.problem(message)),
    note: liveNote(inBrowser),
  });
  const events = { "msg:custom": kernel.hear };
  for (const name of [...Object.keys(take), ...STATE])
    events[`change:${name}`] = () => {
      take.metadata(); // the events of one message come in any order
      take[name]?.();
      const state = read(model, STATE);
      changed(state);
      mounted.show(state);
    };
  const leave = follow(model, events);
  return () => {
    mounted.stop();
    here.stop();
    leave();
  };
}
