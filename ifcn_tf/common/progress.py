"""One progress bar for all long work: how much of it is done, at what rate, and the time left, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

Item = TypeVar("Item")


class ProgressBar:
    """A bar that is moved by hand; use it as a context. What is printed meanwhile appears above it.

    Args:
        description: what is being done.
        total: amount of work; None where it is not known.
        unit: what is counted, in the plural.
        done: amount that was done before.
        disable: show nothing.
    """

    def __init__(
        self, description: str, total: float | None, unit: str = "images", done: float = 0, disable: bool = False
    ) -> None:
        # Where the terminal is narrow, the bar gives way and not the numbers.
        numbers = (_Done(Column(no_wrap=True)), TimeRemainingColumn(table_column=Column(no_wrap=True)))
        self._bar = Progress(
            *(TextColumn("{task.description}"), BarColumn(bar_width=16), *numbers),
            *(TextColumn("left"), TextColumn("{task.fields[note]}")),
            console=Console(stderr=True),
            disable=disable,
            redirect_stdout=sys.stdout.isatty(),  # into a file it goes as it is
        )
        self._task = self._bar.add_task(description, total=total, completed=done, unit=unit, note="")  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Some more is done; the note stands behind the bar."""
        self._bar.update(self._task, advance=amount, note=note)


def track(items: Iterable[Item], total: int, description: str) -> Iterator[Item]:
    """Yields the items, images or parts of them, under a bar that advances when the next one is asked for."""
    with ProgressBar(description, total) as bar:
        for item in items:
            yield item
            bar.advance()


class _Done(ProgressColumn):
    """Amount done, total where it is known, and rate: "120/5000 images, 3.41/s"."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn`."""
        unit, total = task.fields["unit"], "" if task.total is None else f"/{task.total:.0f}"
        speed = task.finished_speed or task.speed
        rate = f", {speed:.{2 if speed < 10 else 0}f}/s" if speed else ""
        return Text(f"{task.completed:.0f}{total} {unit}{rate}")
