"""A browser for the page; tests that need it are skipped where there is none."""

import contextlib

import pytest

from ifcn_tf.benchmarks.browser import chromium
from ifcn_tf.common.files import UserError

MISSING = "is not installed: pip install '.[web,browser]'"
#: Longest wait for the page, on a machine that does something else as well [ms].
PATIENCE = 60_000


@pytest.fixture(scope="session")
def browser_context():
    """Pages of one browser, each of which is a visitor of its own to the server."""
    api = pytest.importorskip("playwright.sync_api", reason=f"playwright {MISSING}")
    pytest.importorskip("gradio", reason=f"gradio {MISSING}")
    with contextlib.ExitStack() as stack:
        try:
            browser = stack.enter_context(chromium())
        except UserError as error:
            pytest.skip(str(error))
        context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        context.set_default_timeout(PATIENCE)
        api.expect.set_options(timeout=PATIENCE)
        yield context
