// The explorer on a page: appended to explorer.js, in one module with it.

async function inflate(text) {
  const packed = atob(text), bytes = new Uint8Array(packed.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = packed.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** On a page: fill the first explorer that waits. Scripts run in the order of the page, so each finds its own.
 *  What is shown first is unpacked and drawn first: `data-loaded` goes from "none" over "first" to "all". */
async function mountNext() {
  const element = document.querySelector(".vit-explorer:not([data-loaded])");
  element.dataset.loaded = "none";
  if (!window.DecompressionStream) return element.append("These sliders need a browser of 2023 or later.");
  const { metadata, state, pieces } = JSON.parse(element.querySelector("script").textContent);
  const data = { ...metadata, state, pictures: [], views: [], masked: null };
  let mounted = null;
  for (const [index, [kind, at, text]] of pieces.entries()) {
    const bytes = await inflate(text);
    data[kind][at] = kind === "views" ? decode(bytes, data) : bytes;
    if (index === 1) { // a picture and its view
      mounted = mount(element, data);
      element.dataset.loaded = "first";
    }
    mounted?.arrived();
  }
  element.dataset.loaded = "all";
}

mountNext();
