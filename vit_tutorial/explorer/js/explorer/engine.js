// The engine beside the page: in a Web Worker, so that the page stays responsive.
//
// ENGINE_WORKER is the text of engine_worker.js with all it imports, which the bundler
// puts in: from the disk a page may start no worker of another file.

/** An engine; `weights` promises its model, {json, buffer} as `load` of vit.js takes
 *  them. Returns view(pixels, options, sizes), a promise of what engine_worker.js
 *  answers; it rejects with one line. */
export function startEngine(weights) {
  const text = new Blob([ENGINE_WORKER], { type: "text/javascript" });
  const address = URL.createObjectURL(text);
  const worker = new Worker(address);
  const waiting = new Map(); // by number of the question
  let asked = 0;
  let broken = null; // why nothing is answered
  worker.onmessage = ({ data: { number, result, error } }) => {
    const { resolve, reject } = waiting.get(number);
    waiting.delete(number);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  };
  worker.onerror = () => {
    broken = new Error("this browser starts no worker that could compute");
    for (const { reject } of waiting.values()) reject(broken);
    waiting.clear();
  };

  function ask(kind, asks, handedOver) {
    if (broken) return Promise.reject(broken);
    return new Promise((resolve, reject) => {
      waiting.set(++asked, { resolve, reject });
      worker.postMessage({ number: asked, kind, ...asks }, handedOver);
    });
  }

  const loaded = weights
    .then(({ json, buffer }) => ask("load", { json, buffer }, [buffer]))
    .finally(() => URL.revokeObjectURL(address));
  return async function view(pixels, options, sizes) {
    await loaded;
    return ask("view", { pixels, options, sizes }, [pixels.buffer]);
  };
}

/** `ask`, of which only the latest call is answered: one that another overtakes gives
 *  undefined, and is not asked at all where it has not begun. */
export function latest(ask) {
  let newest = 0;
  let before = Promise.resolve();
  return function asked(...args) {
    const mine = ++newest;
    const turn = before.then(async () => {
      if (mine !== newest) return undefined;
      const found = await ask(...args);
      return mine === newest ? found : undefined;
    });
    before = turn.catch(() => {}); // the next one has its turn all the same
    return turn;
  };
}
