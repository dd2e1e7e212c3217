"""A browser for the page; tests that need it are skipped where there is none."""

import shutil

import pytest

#: Without a sandbox, which root cannot have, and without asking Google for anything.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
MISSING = "is not installed: pip install '.[web,browser]'"
#: Longest wait for the page, on a machine that does something else as well [ms].
PATIENCE = 60_000


@pytest.fixture(scope="session")
def browser_context():
    """Pages of one browser, each of which is a visitor of its own to the server."""
    api = pytest.importorskip("playwright.sync_api", reason=f"playwright {MISSING}")
    pytest.importorskip("gradio", reason=f"gradio {MISSING}")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs the browser chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        context.set_default_timeout(PATIENCE)
        api.expect.set_options(timeout=PATIENCE)
        yield context
        browser.close()
