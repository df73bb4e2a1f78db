// The engine beside the page: in a Web Worker, so that the page stays responsive.
//
// ENGINE_WORKER is the text of engine_worker.js with all it imports, which the bundler
// puts in: from the disk a page may start no worker of another file.

/** An engine, with stop() and ask(model, kind, asked), a promise of what
 *  engine_worker.js answers to a message of this kind, which takes over the memory of
 *  asked.pixels; it rejects with one line. `model`, {json, buffer} as `load` of vit.js
 *  takes it, is loaded where it is another object than the last one. */
export function startEngine() {
  const text = new Blob([ENGINE_WORKER], { type: "text/javascript" });
  const address = URL.createObjectURL(text);
  const worker = new Worker(address);
  const waiting = new Map(); // by number of the question
  let asked = 0;
  let broken = null; // why nothing is answered
  let loaded = null; // a model
  let loading = null; // the answer to it
  worker.onmessage = ({ data: { number, result, error } }) => {
    URL.revokeObjectURL(address); // who answers has been read
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

  function send(kind, asks, handedOver = []) {
    if (broken) return Promise.reject(broken);
    return new Promise((resolve, reject) => {
      waiting.set(++asked, { resolve, reject });
      worker.postMessage({ number: asked, kind, ...asks }, handedOver);
    });
  }

  async function ask(model, kind, asks) {
    if (model !== loaded) {
      loaded = model;
      loading = send("load", model); // a copy: the model may be needed again
    }
    const answer = send(kind, asks, [asks.pixels.buffer]);
    // in this order: what is wrong with the model is said first
    const [, found] = await Promise.all([loading, answer]);
    return found;
  }

  return { ask, stop: () => worker.terminate() };
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
