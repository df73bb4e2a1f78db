// A picture of the reader's own.

import { make } from "../frame/dom.js";

/** How large a picture is drawn to cover width and height, cut to its middle where the
 *  shape differs: [x, y, width, height]. */
export function cover(picture, width, height) {
  const shrink = Math.max(width / picture.width, height / picture.height);
  const [wide, tall] = [picture.width * shrink, picture.height * shrink];
  return [(width - wide) / 2, (height - tall) / 2, wide, tall];
}

/** An image file at the model's size: its bytes, red to blue, (height, width, 3).
 *  Rejects what the browser cannot read. */
export async function readPicture(file, width, height) {
  const picture = await createImageBitmap(file);
  const small = make("canvas", { width, height }).getContext("2d");
  Object.assign(small, { imageSmoothingQuality: "high", fillStyle: "white" });
  small.fillRect(0, 0, width, height); // shows where the picture is transparent
  small.drawImage(picture, ...cover(picture, width, height));
  const { data } = small.getImageData(0, 0, width, height);
  return data.filter((_, at) => at % 4 < 3);
}
