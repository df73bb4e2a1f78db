// A picture of the reader's own: chosen, dropped or pasted, and read.

import { make } from "../frame/dom.js";
import { greyed, resize } from "./resize.js";

/** Call take(file) for a file that is dropped on `element`, or pasted into it. */
export function onFiles(element, take) {
  const carries = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  const over = (event, is) => {
    if (!carries(event)) return false;
    event.preventDefault(); // of opening the file in place of the page
    event.stopPropagation(); // JupyterLab would take it for the notebook's folder
    element.classList.toggle("over", is);
    return true;
  };
  element.addEventListener("dragenter", (event) => over(event, true));
  element.addEventListener("dragover", (event) => over(event, true));
  element.addEventListener("dragleave", (event) => over(event, false));
  element.addEventListener("drop", (event) => {
    if (over(event, false)) take(event.dataTransfer.files[0]);
  });
  element.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    take(file);
  });
}

/** An image file at the model's size: its bytes, red to blue, (height, width, 3), grey
 *  ones where the model sees no colours. Rejects what the browser cannot read. */
export async function readPicture(file, { size: [height, width], channels }) {
  // turned upright; colours as the file has them, not as the screen would
  const picture = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const canvas = make("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });

  async function read(left, top, wide, tall) {
    await new Promise((go) => setTimeout(go)); // a large picture leaves the page a turn
    Object.assign(canvas, { width: wide, height: tall });
    pen.fillStyle = "white"; // shows where the picture is transparent
    pen.fillRect(0, 0, wide, tall);
    pen.drawImage(picture, -left, -top);
    const { data } = pen.getImageData(0, 0, wide, tall);
    return channels === 1 ? greyed(data) : data;
  }

  try {
    return await resize(read, picture.width, picture.height, width, height);
  } finally {
    picture.close();
  }
}
