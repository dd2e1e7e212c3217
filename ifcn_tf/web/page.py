"""The page itself, which Gradio shows and serves."""

from __future__ import annotations

import base64
import html
import os
from pathlib import Path
from typing import Any

from ifcn_tf.common.files import UserError
from ifcn_tf.images.files import MAX_PIXELS
from ifcn_tf.web.choice import Wanted
from ifcn_tf.web.downloads import NAMES, download
from ifcn_tf.web.visits import Propose, Visit, Visits

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads it while it is loaded
try:
    import gradio as gr
except ImportError as error:
    raise UserError("the page needs gradio: pip install 'ifcn-tf[web]'.") from error

#: What a page takes: photographs of a visitor, visitors at once.
MAX_PHOTOGRAPHS, MAX_VISITORS = 20, 8
#: Gradio keeps the files of uploads for so long, since it names them by their content and two may be the same [s].
UPLOADS_KEPT = 30
_HERE = Path(__file__).parent
_EMPTY = "<div class='empty'><b>{}</b>{}</div>"
_WELCOME = _EMPTY.format("Drop photographs here", "They stay in memory, and are forgotten when the page is closed.")
_HELP = """
**Point** at an object to see its mask. **Click** takes the smallest one there, a further click the next larger.
**Shift-click** adds one, or gives it back. **Drag** a box to look inside it only.

Keys: **←** **→** or **p** **n** turn to the previous or next photograph, **Esc** clears box and choice.
"""


class Page:
    """What the page answers to its events: each method takes what its visitor sees, and returns what changes.

    Args:
        propose: called for one photograph at a time.
        max_pixels: larger images are refused.
    """

    def __init__(self, propose: Propose, max_pixels: int = MAX_PIXELS) -> None:
        self.visits = Visits(MAX_VISITORS, MAX_PHOTOGRAPHS, max_pixels)
        self.propose = propose

    def add(self, paths: list[str] | None, request: gr.Request) -> None:
        """Takes uploaded files, and warns of those that it does not."""
        for sentence in self._visit(request).add([Path(path) for path in paths or ()]):
            gr.Warning(html.escape(sentence), duration=None)

    def show(self, score: float, size: float, count: float, request: gr.Request) -> tuple[Any, str]:
        """Draws the photograph that the visitor looks at: the drawing, and what it shows."""
        visit, wanted = self._visit(request), _wanted(score, size, count)
        if visit.current is None:
            return gr.update(value=_WELCOME), ""
        visit.current.look(self.propose)
        failed = _EMPTY.format(html.escape(visit.current.name), html.escape(visit.current.error))
        drawn = gr.update(value=visit.current.drawing or failed, view=visit.current.view(wanted))
        return drawn, html.escape(visit.summary(wanted))

    def next(self, score: float, size: float, count: float, request: gr.Request) -> tuple[Any, str]:
        """Draws the next photograph."""
        self._visit(request).turn(1)
        return self.show(score, size, count, request)

    def previous(self, score: float, size: float, count: float, request: gr.Request) -> tuple[Any, str]:
        """Draws the previous photograph."""
        self._visit(request).turn(-1)
        return self.show(score, size, count, request)

    def look(self, score: float, size: float, count: float, request: gr.Request) -> tuple[Any, str]:
        """Shows other masks of the drawing: those that the sliders ask for."""
        visit, wanted = self._visit(request), _wanted(score, size, count)
        if visit.current is None:  # forgotten, or not yet there
            return gr.update(value=_WELCOME), ""
        return gr.update(view=visit.current.view(wanted)), html.escape(visit.summary(wanted))

    def click(
        self, score: float, size: float, count: float, request: gr.Request, event: gr.EventData
    ) -> tuple[Any, str]:
        """Takes the mask under a point."""
        if current := self._visit(request).current:
            current.click(_wanted(score, size, count), (float(event.y), float(event.x)), bool(event.add))
        return self.look(score, size, count, request)

    def box(self, score: float, size: float, count: float, request: gr.Request, event: gr.EventData) -> tuple[Any, str]:
        """Looks for masks in a box only."""
        if current := self._visit(request).current:
            top, left, bottom, right = map(float, event.yxyx)
            current.box_yxyx = (top, left, bottom, right)
        return self.look(score, size, count, request)

    def clear(self, score: float, size: float, count: float, request: gr.Request) -> tuple[Any, str]:
        """Gives back what was taken of the photograph, and looks for masks everywhere."""
        if current := self._visit(request).current:
            current.choice.clear()
            current.box_yxyx = None
        return self.look(score, size, count, request)

    def download(self, file_format: str, request: gr.Request) -> dict[str, str] | None:
        """The file that `save.js` hands to the browser."""
        chosen = self._visit(request).chosen()
        if not chosen:
            gr.Warning("Nothing is taken yet: click on an object first.")
            return None
        try:
            name, content = download(chosen, file_format)
        except UserError as error:
            gr.Warning(html.escape(str(error)), duration=None)
            return None
        return {"name": name, "content": base64.b64encode(content).decode()}

    def forget(self, request: gr.Request) -> None:
        """Forgets a visitor who closed or reloaded the page."""
        self.visits.forget(str(request.session_hash))

    def _visit(self, request: gr.Request) -> Visit:
        return self.visits.of(str(request.session_hash))


def build(page: Page, count: int) -> gr.Blocks:
    """The components of the page, and which method answers to which of their events.

    Args:
        page: what they are answered by.
        count: proposals of a photograph at most.
    """
    start = Wanted()
    with gr.Blocks(title="Masks of objects", analytics_enabled=False, delete_cache=(5, UPLOADS_KEPT)) as blocks:
        with gr.Row():
            with gr.Column(scale=4):
                stage = gr.HTML(
                    _WELCOME, css_template=_text("stage.css"), js_on_load=_text("stage.js"), view=None, elem_id="stage"
                )
                line = gr.HTML("", elem_id="line")
                gr.Markdown(_HELP, padding=True)
            with gr.Column(scale=1, min_width=280):
                files = gr.File(label="Photographs", file_count="multiple", height=130, elem_id="photographs")
                with gr.Row():
                    previous = gr.Button("← Previous", size="sm", elem_id="previous", min_width=80)
                    following = gr.Button("Next →", size="sm", elem_id="next", min_width=80)
                    clear = gr.Button("Clear", size="sm", elem_id="clear", min_width=80)
                score = gr.Slider(0, 1, start.min_score, step=0.01, label="Score from", elem_id="score")
                size = gr.Slider(0, 25, 0, step=0.1, label="Size from [% of the photograph]", elem_id="size")
                number = gr.Slider(1, count, min(start.count, count), step=1, label="Number", elem_id="number")
                formats = gr.Dropdown(list(NAMES), value="coco", label="Format", elem_id="format")
                save = gr.Button("Download what is taken", variant="primary", elem_id="download")
        saver = gr.HTML(None, js_on_load=_text("save.js"), visible="hidden")

        sliders, shown = [score, size, number], [stage, line]
        quick = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
        slow = {"concurrency_id": "propose", "concurrency_limit": 1, "api_visibility": "private"}
        added = files.upload(page.add, files, None, **quick)
        added.then(lambda: None, None, files, **quick).then(page.show, sliders, shown, **slow)
        following.click(page.next, sliders, shown, **slow)
        previous.click(page.previous, sliders, shown, **slow)
        clear.click(page.clear, sliders, shown, **quick)
        gr.on([slider.change for slider in sliders], page.look, sliders, shown, trigger_mode="always_last", **quick)
        stage.point(page.click, sliders, shown, trigger_mode="multiple", **quick)
        stage.box(page.box, sliders, shown, **quick)
        save.click(page.download, formats, saver, **quick)
        blocks.unload(page.forget)
    return blocks


def _wanted(score: float, size: float, count: float) -> Wanted:
    return Wanted(min_score=score, min_size=size / 100, count=int(count))


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
