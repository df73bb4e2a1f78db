// On a page without kernel or server: the data stand in the element that shows them.

/** The first element of this class that waits, and its data, taken out of it; null when
 *  none waits. Scripts run in the order of the page, so each finds its own. */
export function takeNext(name) {
  const script = document.querySelector(`.${name} > script[type="application/json"]`);
  if (!script) return null;
  const element = script.parentElement;
  script.remove();
  return { element, data: JSON.parse(script.textContent) };
}

/** The bytes of a base64 text that Python deflated (RFC 1950): a Uint8Array. */
export async function inflate(text) {
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let at = 0; at < packed.length; at++) packed[at] = letters.charCodeAt(at);
  const inflater = new DecompressionStream("deflate");
  const stream = new Blob([packed]).stream().pipeThrough(inflater);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
