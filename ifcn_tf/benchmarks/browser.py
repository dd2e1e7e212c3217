"""A real browser without a window, steered by Playwright."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ifcn_tf.common.files import UserError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Without a sandbox, which root cannot have, and without asking anybody for anything.
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium.

    Raises:
        UserError: it is not installed, or Playwright is not, which steers it.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise UserError("a browser is steered by playwright: pip install 'ifcn-tf[browser]'.") from error
    program = shutil.which("chromium")
    if program is None:
        raise UserError("this needs the browser chromium: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()
