// Dragging over a picture, by mouse, finger or pen.

/** Follow pointers that press on the canvas where grabs([x, y]), in pixels of its own:
 *  start(place), then drag(from, to). Elsewhere a finger scrolls the page. */
export function dragging(canvas, { grabs, start, drag }) {
  let last = null; // where the pointer was; null while none is pressed

  function placeOf({ clientX, clientY }) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const across = (canvas.width * (clientX - left)) / width;
    return [across, (canvas.height * (clientY - top)) / height];
  }

  canvas.addEventListener("touchstart", (event) => {
    if (grabs(placeOf(event.changedTouches[0]))) event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    const place = placeOf(event);
    if (event.button !== 0 || !event.isPrimary || !grabs(place)) return;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ focusVisible: false });
    last = place;
    start(place);
  });
  canvas.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    canvas.classList.toggle("grabs", grabs(place));
    if (!last || !canvas.hasPointerCapture(event.pointerId)) return;
    drag(last, place);
    last = place;
  });
  canvas.addEventListener("lostpointercapture", () => (last = null));
}
