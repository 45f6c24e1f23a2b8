"""A headless Chromium for tests of pages; absent where Playwright or Chromium is not installed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SLOWEST = 120
"""Seconds that a busy machine without a GPU may take for one step."""
QUIET = ("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")
SOFTWARE_3D = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@contextmanager
def chromium() -> Iterator[Any]:
    """A Playwright browser; skips the test with the reason where there is none.

    The environment variable ANYLIFT_CHROMIUM names the program; else it is looked for on the PATH.
    """
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    program = os.environ.get("ANYLIFT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or name it with ANYLIFT_CHROMIUM")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*QUIET, *SOFTWARE_3D])
        yield browser
        browser.close()


class Opened:
    """A page of a file or a server, everything it complained of, and everything it asked for from elsewhere.

    `promise` is the name of the page's global promise of its parts.
    """

    def __init__(self, browser: Any, where: Path | str, promise: str = "anyliftReport", **look: Any) -> None:
        self.own = where if isinstance(where, str) else where.as_uri()
        self.page = browser.new_page(**look)
        self.page.set_default_timeout(SLOWEST * 1000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)
        self.page.goto(self.own)
        self.page.evaluate("async (promise) => { window.parts = await window[promise]; }", promise)

    def _hear(self, said: Any) -> None:
        """Software drawing is slow, and the driver says so when a test reads pixels; that is no fault of the page."""
        if said.type in ("warning", "error") and "GL Driver Message (OpenGL, Performance" not in said.text:
            self.complaints.append(said.text)

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.own, "blob:", "data:")):
            self.requests.append(request.url)

    def ask(self, script: str, argument: Any = None) -> Any:
        """The value of a JavaScript expression or function over the parts of the page."""
        return self.page.evaluate(script, argument)

    def wait(self, condition: str, seconds: float = SLOWEST) -> None:
        """Until a JavaScript expression holds. (Playwright's own waiting evaluates text, which the page forbids.)"""
        deadline = time.monotonic() + seconds
        while not self.ask(condition):
            assert time.monotonic() < deadline, f"{condition} did not come true in {seconds:g} s"
            self.page.wait_for_timeout(50)

    def seek(self, frame: int) -> None:
        """Show a frame, the video too, and wait until both are drawn."""
        self.ask(
            """async (frame) => {
              const { player } = parts;
              player.seekFrame(frame);
              while (player.video && (player.wanted !== null || player.video.seeking)) {
                await new Promise((done) => setTimeout(done, 10));
              }
              await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            }""",
            frame,
        )
