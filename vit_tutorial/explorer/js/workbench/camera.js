// A picture from the reader's camera. It goes to who asked for it, and nowhere else.

import { frame, make } from "../frame/dom.js";

const LAYOUT = `
<button type="button" class="open">camera</button>
<div class="live" hidden><video playsinline muted aria-label="what the camera sees">
    </video>
  <button type="button" class="shot">take picture</button>
  <button type="button" class="close">close</button></div>
<p role="alert"></p>`;
const WANTED = { facingMode: "environment" }; // at a phone's back, where there is one
const REASONS = {
  NotAllowedError: "The camera may not be used: permission was denied.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is in use by another program.",
};

/** A button in `element` that opens the camera, where there can be one; take(blob,
 *  name) gets a picture as PNG. It closes with the page. */
export function camera(element, take) {
  const find = frame(element, "camera", LAYOUT);
  const [open, shot, live, video] = [".open", ".shot", ".live", "video"].map(find);
  let stream = null;
  let asked = 0; // counts, so that a camera that comes too late is closed at once
  // a page that came over plain http gets no camera
  const possible = Boolean(navigator.mediaDevices?.getUserMedia);
  open.hidden = !possible;

  async function start() {
    const mine = ++asked;
    find("[role=alert]").textContent = "";
    open.disabled = true;
    try {
      const opened = await navigator.mediaDevices.getUserMedia({ video: WANTED });
      if (mine === asked) watch(opened);
      else end(opened);
    } catch (error) {
      if (mine === asked) refuse(error);
    }
  }

  function watch(opened) {
    stream = opened;
    stream.getVideoTracks()[0].addEventListener("ended", stop); // it was unplugged
    live.hidden = false;
    open.hidden = true;
    shot.disabled = true; // until there is a frame
    video.srcObject = stream;
    video.play().catch(() => {}); // closed before it began
    find(".close").focus();
  }

  function refuse({ name, message }) {
    stop();
    const reason = REASONS[name] ?? `The camera does not open: ${message || name}.`;
    find("[role=alert]").textContent = reason;
  }

  /** Closes the camera; the keyboard goes back to the button that opens it. */
  function stop() {
    asked++;
    if (stream) end(stream);
    stream = null;
    video.srcObject = null;
    const inside = live.contains(document.activeElement);
    live.hidden = true;
    open.disabled = false;
    open.hidden = !possible;
    if (inside) open.focus();
  }

  async function shoot() {
    const { videoWidth: width, videoHeight: height } = video;
    const canvas = make("canvas", { width, height });
    canvas.getContext("2d").drawImage(video, 0, 0);
    stop();
    const blob = await new Promise((made) => canvas.toBlob(made, "image/png"));
    take(blob, "camera picture");
  }

  open.addEventListener("click", start);
  shot.addEventListener("click", shoot);
  find(".close").addEventListener("click", stop);
  video.addEventListener("loadeddata", () => {
    shot.disabled = false;
    if (live.contains(document.activeElement)) shot.focus();
  });
  addEventListener("pagehide", stop);
}

const end = (stream) => stream.getTracks().forEach((track) => track.stop());
