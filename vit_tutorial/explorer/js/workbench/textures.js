// A texture is chosen by its picture.

import { make, onArrows } from "../frame/dom.js";
import { textured, TEXTURES } from "./stack.js";

const SAMPLE = 20; // pixels of a texture on its button

/** The textures as four buttons of which one is chosen, in `parent`; choose(texture)
 *  hears of it. Returns put(texture, tile), which shows them as that tile has them. */
export function textureButtons(parent, name, choose) {
  const ariaLabel = `texture at the ${name}`;
  const group = make("div", { role: "radiogroup", ariaLabel });
  const buttons = TEXTURES.map((ariaLabel, texture) => {
    const button = make("button", { type: "button", role: "radio", ariaLabel });
    button.title = ariaLabel;
    button.append(make("canvas", { width: SAMPLE, height: SAMPLE }));
    button.addEventListener("click", () => choose(texture));
    return button;
  });
  group.append(make("span", { textContent: name, ariaHidden: "true" }), ...buttons);
  parent.append(group);
  onArrows(group, (down, across) => {
    const now = buttons.findIndex(({ ariaChecked }) => ariaChecked === "true");
    const next = (now + down + across + TEXTURES.length) % TEXTURES.length;
    buttons[next].focus();
    choose(next);
  });

  return function put(texture, tile) {
    for (const [at, button] of buttons.entries()) {
      button.ariaChecked = at === texture;
      button.tabIndex = at === texture ? 0 : -1;
      drawSample(button.firstChild, textured(at, tile));
    }
  };
}

function drawSample(canvas, colourAt) {
  const image = new ImageData(SAMPLE, SAMPLE);
  for (let at = 0; at < SAMPLE ** 2; at++) {
    const colour = colourAt((at % SAMPLE) + 0.5, Math.floor(at / SAMPLE) + 0.5);
    image.data.set([...colour.map((value) => 255 * value), 255], 4 * at);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
