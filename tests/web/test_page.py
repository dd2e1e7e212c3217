"""The page in a real browser, with proposals whose places are known."""

import base64
import importlib
import json
import os
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from ifcn_tf.common.files import UserError
from tests.support.rectangles import rectangles

#: Parts of the photograph: best first a large mask, a smaller one inside, a smallest inside that, one apart.
LARGE, MIDDLE, SMALL, APART = range(4)
PARTS = [(0.1, 0.1, 0.9, 0.6), (0.2, 0.2, 0.8, 0.5), (0.4, 0.3, 0.6, 0.4), (0.3, 0.7, 0.7, 0.9)]
IN_SMALL, IN_LARGE, IN_APART, IN_NOTHING = (0.5, 0.35), (0.15, 0.15), (0.5, 0.8), (0.95, 0.95)
SAMPLES = Path(__file__).parents[2] / "savedmodels" / "sample"


def propose(image):
    height, width = image.shape[:2]
    boxes = [(int(a * height), int(b * width), int(c * height), int(d * width)) for a, b, c, d in PARTS]
    return rectangles((height, width), boxes, [0.9, 0.8, 0.6, 0.5])


@pytest.fixture(scope="module")
def server(browser_context):
    from ifcn_tf.web.page import Page
    from ifcn_tf.web.serving import served

    page = Page(propose)
    with served(page, count=200, host="127.0.0.1", port=None) as address:
        yield page, address


@pytest.fixture
def visitor(browser_context, server):
    page = browser_context.new_page()
    yield Visitor(page, server[1])
    page.close()


class Visitor:
    """What people do on the page, at places that are parts of the photograph's height and width."""

    def __init__(self, page, address):
        self.page, self.asked = page, []
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)

    def upload(self, *paths):
        self.page.set_input_files("#photographs input[type=file]", [str(path) for path in paths])

    def move(self, place):
        box = self.page.locator("#stage svg").bounding_box()
        self.page.mouse.move(box["x"] + place[1] * box["width"], box["y"] + place[0] * box["height"])

    def click(self, place, key=None):
        self.move(place)
        if key:
            self.page.keyboard.down(key)
        self.page.mouse.down()
        self.page.mouse.up()
        if key:
            self.page.keyboard.up(key)

    def drag(self, start, end):
        self.move(start)
        self.page.mouse.down()
        self.move(end)
        self.page.mouse.up()

    def slide(self, name, value):
        self.page.fill(f"#{name} input[type=number]", str(value))
        self.page.keyboard.press("Tab")

    def saw(self, text):
        """Waits for a text in the line below the photograph."""
        self.page.locator("#line", has_text=text).wait_for()

    def masks(self, kind):
        return sorted(int(path.get_attribute("data-mask")) for path in self.page.locator(f"#stage path{kind}").all())

    def download(self):
        with self.page.expect_download() as download:
            self.page.click("#download")
        return download.value


def test_without_gradio_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "ifcn_tf.web.page", raising=False)
    with pytest.raises(UserError, match=r"the page needs gradio: pip install 'ifcn-tf\[web\]'"):
        importlib.import_module("ifcn_tf.web.page")


def test_a_port_that_is_taken_is_one_sentence_and_leaves_no_folder(server, monkeypatch):
    from ifcn_tf.web.serving import served

    pages, address = server
    monkeypatch.setenv("GRADIO_TEMP_DIR", os.environ["GRADIO_TEMP_DIR"])  # put back afterwards
    port = int(address.rstrip("/").rpartition(":")[2])
    with pytest.raises(UserError, match=f"cannot serve at 127.0.0.1:{port}"), served(pages, 200, "127.0.0.1", port):
        pass
    assert not Path(os.environ["GRADIO_TEMP_DIR"]).exists()


def test_a_photograph_its_masks_and_the_one_under_the_pointer(visitor):
    visitor.upload(SAMPLES / "coffee.jpg")
    visitor.saw("coffee.jpg, 1 of 1: 4 masks shown, 0 taken")
    assert visitor.masks(".good") == [LARGE, MIDDLE, SMALL, APART]
    for place, expected in ((IN_SMALL, [SMALL]), (IN_LARGE, [LARGE]), (IN_NOTHING, [])):
        visitor.move(place)
        assert visitor.masks(":hover") == expected
    strangers = [url for url in visitor.asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
    assert not strangers


def test_clicks_take_masks(visitor):
    visitor.upload(SAMPLES / "coffee.jpg")
    visitor.saw("0 taken")
    for expected in (SMALL, MIDDLE, LARGE, SMALL):
        visitor.click(IN_SMALL)
        visitor.page.locator(f"#stage path.taken[data-mask='{expected}']").wait_for()
        assert visitor.masks(".taken") == [expected]
    visitor.click(IN_APART, "Shift")
    visitor.saw("2 taken")
    assert visitor.masks(".taken") == [SMALL, APART]
    visitor.click(IN_SMALL, "Shift")
    visitor.saw("1 taken")
    visitor.click(IN_NOTHING)
    visitor.saw("0 taken")


def test_sliders_and_the_box(visitor):
    visitor.upload(SAMPLES / "coffee.jpg")
    visitor.saw("4 masks shown")
    visitor.slide("score", 0.7)
    visitor.saw("2 masks shown")
    assert visitor.masks(".good") == [LARGE, MIDDLE]
    visitor.slide("score", 0)
    visitor.slide("size", 5)  # per cent: the smallest mask has 2, the one apart 8
    visitor.saw("3 masks shown")
    visitor.slide("number", 1)
    visitor.saw("1 masks shown")
    visitor.slide("number", 50)
    visitor.saw("3 masks shown")
    visitor.drag((0.18, 0.18), (0.82, 0.52))
    visitor.saw("1 masks shown")
    assert visitor.masks(".good") == [MIDDLE]
    visitor.click(IN_SMALL)
    visitor.saw("1 taken")
    visitor.page.keyboard.press("Escape")
    visitor.saw("3 masks shown, 0 taken")


def test_several_photographs_by_keys_and_what_is_downloaded(visitor, tmp_path):
    visitor.upload(SAMPLES / "coffee.jpg", SAMPLES / "cat.jpg")
    visitor.saw("coffee.jpg, 1 of 2")
    visitor.click(IN_SMALL)
    visitor.saw("1 taken")
    visitor.page.keyboard.press("ArrowRight")
    visitor.saw("cat.jpg, 2 of 2: 4 masks shown, 0 taken (and 1 of other photographs)")
    visitor.click(IN_APART)
    visitor.saw("1 taken")
    file = visitor.download()
    assert file.suggested_filename == "coco.json"
    results = json.loads(Path(file.path()).read_text())
    assert [(result["image_id"], result["score"]) for result in results] == [("coffee", 0.6), ("cat", 0.5)]
    visitor.page.keyboard.press("p")
    visitor.saw("coffee.jpg, 1 of 2: 4 masks shown, 1 taken")
    visitor.page.click("#format input")
    visitor.page.get_by_role("option", name="labelme").click()
    archive = visitor.download()
    assert zipfile.ZipFile(archive.path()).namelist() == ["labelme/cat.json", "labelme/coffee.json"]


def test_bad_files_are_one_sentence_and_others_go_on(visitor, tmp_path):
    whole = (SAMPLES / "cat.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no image")
    visitor.page.click("#download")
    visitor.page.get_by_text("Nothing is taken yet").wait_for()
    visitor.upload(tmp_path / "cut.jpg", tmp_path / "text.jpg")
    visitor.page.get_by_text("text.jpg is not a readable JPEG").wait_for()
    visitor.saw("cut.jpg is damaged or cut off: it cannot be decoded.")
    assert "ifcn-web-" not in visitor.page.content()  # no path of the server
    visitor.upload(SAMPLES / "cat.jpg")
    visitor.saw("cat.jpg, 2 of 2: 4 masks shown")


def test_two_visitors_at_once(visitor, browser_context, server):
    pages, address = server
    other = Visitor(browser_context.new_page(), address)
    for each in (visitor, other):
        each.upload(SAMPLES / "coffee.jpg")
    for each in (visitor, other):
        each.saw("4 masks shown")
    visitor.click(IN_SMALL)
    other.click(IN_APART)
    visitor.saw("1 taken")
    other.saw("1 taken")
    assert (visitor.masks(".taken"), other.masks(".taken")) == ([SMALL], [APART])
    before = len(pages.visits)
    other.page.close()
    visitor.page.wait_for_timeout(100)
    for _ in range(100):
        if len(pages.visits) < before:
            break
        visitor.page.wait_for_timeout(100)
    assert len(pages.visits) == before - 1


def test_photographs_may_be_dropped_on_the_picture(visitor, tmp_path):
    Image.new("RGB", (60, 40), (90, 120, 60)).save(tmp_path / "small.png")
    content = base64.b64encode((tmp_path / "small.png").read_bytes()).decode()
    script = """([content]) => {
        const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], "small.png", { type: "image/png" }));
        const stage = document.querySelector("#stage .empty");
        stage.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
    }"""
    visitor.page.locator("#photographs input[type=file]").wait_for(state="attached")
    visitor.page.evaluate(script, [content])
    visitor.saw("small.png, 1 of 1: 4 masks shown")
