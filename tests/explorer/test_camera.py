"""Pictures from the camera, in a browser whose camera shows a test picture."""

import base64
import io
from collections.abc import Iterator

import browser
import bundle
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

DEVICE = "--use-fake-device-for-media-stream"
ALLOWED = "--use-fake-ui-for-media-stream"  # what asks the reader says yes
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>
<style>%s</style><body class="vit-workbench"><div id="here"></div>
<script type="module">%s
window.streams = [];
window.taken = [];
const devices = navigator.mediaDevices;
const open = devices?.getUserMedia.bind(devices);
if (open) devices.getUserMedia = async (wanted) => {
  const stream = await open(wanted);
  window.streams.push(stream);
  return stream;
};
camera(document.querySelector("#here"), async (blob, name) => {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  window.taken.push({ text, name, type: blob.type });
});
window.ready = true;
</script>"""
RUNNING = "streams.flatMap((s) => s.getTracks()).filter((t) => t.readyState === 'live')"


@pytest.fixture(scope="module")
def launch() -> Iterator:
    """A function of flags that starts a browser; all end with the module."""
    path = browser.find_chromium()
    with sync_playwright() as playwright:
        started: list[Browser] = []

        def start(*flags: str) -> Browser:
            args = [*browser.FLAGS, *flags]
            started.append(playwright.chromium.launch(executable_path=path, args=args))
            return started[-1]

        yield start
        for one in started:
            one.close()


@pytest.fixture(scope="module")
def willing(launch) -> Browser:
    return launch(DEVICE, ALLOWED)


@pytest.fixture(scope="module")
def html() -> str:
    made = bundle.esbuild("workbench/camera.js", "--format=esm")
    assert made.returncode == 0
    style = (bundle.EXPLORER / "workbench.css").read_text(encoding="utf-8")
    return PAGE % (style, made.stdout)


@pytest.fixture
def visit(html) -> Iterator:
    """A function of a browser that opens the page there, at an address."""
    opened: list[browser.Guarded] = []

    def go(chromium: Browser, address: str = "http://localhost/page.html") -> Page:
        guarded = browser.open_guarded(chromium)
        opened.append(guarded)
        page = guarded.page
        page.route(
            address, lambda route: route.fulfill(body=html, content_type="text/html")
        )
        page.goto(address)
        page.wait_for_function("window.ready")
        return page

    yield go
    for guarded in opened:
        guarded.assert_clean()
        assert guarded.asked == []  # nothing is sent, nothing fetched
        guarded.page.context.close()


def open_camera(page: Page) -> None:
    page.get_by_role("button", name="camera").click()
    expect(page.get_by_role("button", name="take picture")).to_be_enabled()


def running(page: Page) -> int:
    return page.evaluate(f"{RUNNING}.length")


def test_a_picture_is_taken_and_the_camera_closed(willing, visit):
    page = visit(willing)
    open_camera(page)
    expect(page.get_by_role("button", name="take picture")).to_be_focused()
    expect(page.get_by_role("button", name="camera")).to_be_hidden()
    assert running(page) == 1
    assert page.evaluate("streams[0].getAudioTracks().length") == 0
    size = page.evaluate(
        "[...document.querySelectorAll('video')].map((v) =>"
        " [v.videoWidth, v.videoHeight])[0]"
    )
    page.keyboard.press("Enter")
    page.wait_for_function("taken.length")
    assert running(page) == 0
    expect(page.locator("video")).to_be_hidden()
    expect(page.get_by_role("button", name="camera")).to_be_focused()
    taken = page.evaluate("taken[0]")
    assert (taken["name"], taken["type"]) == ("camera picture", "image/png")
    image = Image.open(io.BytesIO(base64.b64decode(taken["text"])))
    assert list(image.size) == size
    assert len(image.convert("RGB").getcolors(2**20)) > 1  # the test picture, not black


@pytest.mark.parametrize(
    "end",
    [
        "document.querySelector('.close').click()",
        "dispatchEvent(new PageTransitionEvent('pagehide'))",
    ],
)
def test_the_camera_is_closed_without_a_picture(willing, visit, end):
    page = visit(willing)
    open_camera(page)
    page.evaluate(end)
    assert running(page) == 0
    expect(page.locator("video")).to_be_hidden()
    assert page.evaluate("document.querySelector('video').srcObject") is None
    open_camera(page)  # and opens again
    assert running(page) == 1
    assert page.evaluate("taken") == []


def test_a_camera_that_comes_after_the_end_is_closed_at_once(willing, visit):
    page = visit(willing)
    page.evaluate(
        "document.querySelector('.open').click();"
        " dispatchEvent(new PageTransitionEvent('pagehide'))"
    )
    page.wait_for_function("streams.length")
    page.wait_for_function(f"{RUNNING}.length === 0")
    expect(page.locator("video")).to_be_hidden()


def test_a_refusal_is_told(launch, visit):
    page = visit(launch(DEVICE))
    page.get_by_role("button", name="camera").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The camera may not be used: permission was denied."
    )
    expect(page.locator("video")).to_be_hidden()
    expect(page.get_by_role("button", name="camera")).to_be_enabled()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NotFoundError", "No camera was found."),
        ("AbortError", "The camera does not open: out of <b>order</b>."),
    ],
)
def test_a_camera_that_fails_is_told(willing, visit, name, said):
    page = visit(willing)
    page.evaluate(
        """(name) => void (navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException("out of <b>order</b>", name)))""",
        name,
    )
    page.get_by_role("button", name="camera").click()
    expect(page.get_by_role("alert")).to_have_text(said)


def test_there_is_no_button_where_the_browser_gives_no_camera(willing, visit):
    page = visit(willing, "http://insecure.test/page.html")
    assert page.evaluate("navigator.mediaDevices === undefined")
    expect(page.locator(".open")).to_be_hidden()
