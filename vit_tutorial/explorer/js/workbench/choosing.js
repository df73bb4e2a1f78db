// Which model, and which of its maps.

import { choice, slider } from "./controls.js";
import { MAPS, queryText } from "./sentences.js";

/** Controls in the layout; `hear` has subject(name) and move(part of a state). Returns
 *  draw({subject, state}). */
export function choosing(find, subjects, hear) {
  const models = subjects.map(({ name, title, address, bytes }) => {
    const size = address ? ` (loads ${(bytes / 1e6).toFixed(1)} MB)` : "";
    return [name, title + size];
  });
  const setSubject = choice(find(".subject"), "model", hear.subject);
  find(".subject").hidden = subjects.length < 2;
  const controls = find(".controls");
  const setMap = choice(controls, "map", (map) => hear.move({ map }));
  const sliders = {};
  for (const name of ["layer", "head", "query"]) {
    const range = { min: name === "head" ? -1 : 0, step: 1 };
    sliders[name] = slider(controls, name, range, (value) =>
      hear.move({ [name]: value }));
  }
  sliders.opacity = slider(controls, "opacity", { min: 0, max: 1, step: 0.05 },
    (opacity) => hear.move({ opacity }));

  return function draw({ subject, state }) {
    const { layers, heads, patches } = subject;
    const { map, layer, head, query, opacity } = state;
    const came = Object.keys(subject.pictures[state.picture].scores);
    const maps = [...Object.entries(MAPS), ...came.map((name) => [name, name])];
    const given = !(map in MAPS);
    setSubject(state.model, models);
    setMap(map, maps);
    sliders.layer({
      max: layers - 1, value: layer, text: `${layer + 1} of ${layers}`,
      disabled: given,
    });
    sliders.head({
      max: heads - 1, value: head, disabled: map !== "raw",
      text: map === "rollout" || head < 0 ? "mean over heads" : `head ${head}`,
    });
    sliders.query({
      max: patches, value: query, text: queryText(query, subject), disabled: given,
    });
    sliders.opacity({ max: 1, value: opacity, text: `${Math.round(100 * opacity)} %` });
  };
}
