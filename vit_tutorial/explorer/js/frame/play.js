// What moves by itself: layers or epochs, a step at a time.

const PACE = 800; // milliseconds a step

/** A player: next(name) is {part, ends}, the next move and whether it is the last one,
 *  and move(part) makes it. `toggle` starts a name, or stops it when it is playing. */
export function player(next, move) {
  let playing = null;
  let timer = 0;

  function stop() {
    clearInterval(timer);
    playing = null;
  }

  function toggle(name) {
    const was = playing;
    stop();
    if (was === name) return;
    const go = () => {
      const { part, ends } = next(name);
      if (ends) stop(); // before the move, which tells what plays
      move(part);
    };
    playing = name;
    timer = setInterval(go, PACE);
    go();
  }

  return { toggle, stop, playing: () => playing };
}
