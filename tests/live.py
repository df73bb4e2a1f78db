"""A live explorer in a real browser without JupyterLab: the widget's script, and an
`Explorer` in this process in place of the kernel's.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from vit_tutorial.explorer.html import SCRIPT, STYLE
from vit_tutorial.explorer.widget import Explorer

# bytes travel as {base64}; `hear` takes what Python's side has sent
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>
<style>%s</style><div id="live"></div><script type="module">
import widget from "data:text/javascript;base64,%s";
const unpacked = (value) => {
  if (Array.isArray(value)) return value.map(unpacked);
  if (typeof value?.base64 !== "string") return value;
  const letters = atob(value.base64);
  return new DataView(Uint8Array.from(letters, (l) => l.charCodeAt(0)).buffer);
};
const packed = (buffer) => ({
  base64: btoa([...new Uint8Array(buffer)].map((b) => String.fromCharCode(b)).join(""))
});
const values = {};
const heard = {};
let changed = {};
window.hear = (sent) => {
  for (const { state, message, buffers } of sent) {
    if (message) heard["msg:custom"]?.(message, unpacked(buffers));
    for (const name in state) values[name] = unpacked(state[name]);
    for (const name in state) heard[`change:${name}`]?.();
  }
};
const model = {
  get: (name) => values[name],
  set(name, value) {
    if (JSON.stringify(values[name]) === JSON.stringify(value)) return;
    values[name] = changed[name] = value;
    heard[`change:${name}`]?.();
  },
  on: (event, hear) => { heard[event] = hear; },
  off: (event) => { delete heard[event]; },
  async save_changes() {
    const state = changed;
    changed = {};
    window.hear(await window.kernel({ state }));
  },
  async send(message, _callbacks, buffers = []) {
    window.hear(await window.kernel({ message, buffers: buffers.map(packed) }));
  },
};
window.hear(await window.kernel({}));
const el = document.querySelector("#live");
window.leave = widget.render({ model, el });
</script>"""


SKIP = ("layout", "tabbable", "tooltip")  # of ipywidgets


def traits(explorer: Explorer) -> list[str]:
    """What Python and the view share, by name."""
    return [name for name in explorer.keys if name[0] != "_" and name not in SKIP]


def packed(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return [packed(each) for each in value] if isinstance(value, list) else value


class Live:
    """An explorer and its view: `asked` holds the kinds of the view's questions, `sent`
    the bytes of each answer.
    """

    def __init__(self, page: Page, explorer: Explorer, folder: Path) -> None:
        self.explorer = explorer
        self.asked: list[str] = []
        self.sent: list[int] = []
        self._page = page
        now = {name: packed(getattr(explorer, name)) for name in traits(explorer)}
        self._outbox: list[dict] = [{"state": now}]
        explorer.observe(self._changed, names=traits(explorer))
        explorer.send = self._send
        page.expose_function("kernel", self._kernel)
        script = base64.b64encode(SCRIPT.encode()).decode()
        file = folder / "live.html"
        file.write_text(PAGE % (STYLE, script), encoding="utf-8")
        page.goto(file.as_uri())
        self.shown: Locator = page.locator(".vit-explorer")
        self.shown.wait_for()

    def do(self, move: Callable[[Explorer], None]) -> None:
        """Python moves the explorer; the view hears of it."""
        move(self.explorer)
        self._page.evaluate("sent => window.hear(sent)", self._take())

    def _kernel(self, said: dict) -> list[dict]:
        if "message" in said:
            self.asked.append(said["message"]["kind"])
            buffers = [base64.b64decode(each["base64"]) for each in said["buffers"]]
            views = [memoryview(each) for each in buffers]
            self.explorer._handle_custom_msg(said["message"], views)
        for name, value in said.get("state", {}).items():
            setattr(self.explorer, name, value)
        return self._take()

    def _changed(self, change: dict) -> None:
        self._outbox.append({"state": {change["name"]: packed(change["new"])}})

    def _send(self, content: dict, buffers: list[bytes] | None = None) -> None:
        self.sent.append(sum(map(len, buffers or [])))
        message = json.loads(json.dumps(content))
        self._outbox.append({"message": message, "buffers": packed(buffers or [])})

    def _take(self) -> list[dict]:
        taken, self._outbox = self._outbox, []
        return taken
