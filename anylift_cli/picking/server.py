"""Serves the clicking page on this machine, to whoever knows its secret address."""

from __future__ import annotations

import json
import secrets
import threading
import webbrowser
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.picking.page import pick_page
from anylift_cli.picking.session import FileExistsAlready, PickSession
from anylift_cli.report.html_server import HOST

_MOST_BYTES = 1 << 20
"""Of a request."""


class PickServer(ThreadingHTTPServer):
    """Answers below `address`, whose path nobody can guess; everything else is not found.

    GET the page, GET frame/N a frame as JPEG, POST pose, save and done, JSON in and out. Errors are
    {"problem": words} with status 400, or 409 where the points file may not be replaced.
    """

    daemon_threads = True

    def __init__(self, session: PickSession, port: int = 0) -> None:
        """Listen on `port`, 0 for any that is free."""
        super().__init__((HOST, port), _Handler)
        self.session = session
        self.page = pick_page(session)
        self.host = f"{HOST}:{self.server_address[1]}"
        self.root = f"/{secrets.token_urlsafe(24)}/"
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{self.host}{self.root}"


def serve_picking(session: PickSession, announce: Callable[[str], object]) -> None:
    """Serve the page until its "Done" is clicked, or Ctrl-C; open it in the browser where there is one.

    Args:
        announce: told the address.
    """
    with PickServer(session) as server:
        announce(server.address)
        webbrowser.open(server.address)
        server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    server: PickServer

    def do_GET(self) -> None:
        path = self._path()
        if path == "":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page.encode("utf-8"))
        elif path is not None and path.startswith("frame/"):
            self._try(lambda: self._frame(path.removeprefix("frame/")))
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        actions = {"pose": self._pose, "save": self._save, "done": self._done}
        action = actions.get(self._path() or "")
        if action is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._try(lambda: self._answer_json(HTTPStatus.OK, action(self._body())))

    def _path(self) -> str | None:
        """What is asked for below the secret address; None for any other address or host name."""
        if self.headers.get("Host") != self.server.host or not self.path.startswith(self.server.root):
            return None
        return self.path.removeprefix(self.server.root)

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length <= _MOST_BYTES:
            raise ValueError(f"a request of {length} bytes")
        return json.loads(self.rfile.read(length))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            with self.server.lock:
                action()
        except FileExistsAlready as error:
            self._answer_json(HTTPStatus.CONFLICT, {"problem": error.message})
        except AnyliftError as error:
            self._answer_json(HTTPStatus.BAD_REQUEST, {"problem": f"{error.message}. {error.hint}"})
        except (ValueError, KeyError, TypeError) as error:
            self._answer_json(HTTPStatus.BAD_REQUEST, {"problem": f"not understood: {error}"})

    def _frame(self, number: str) -> None:
        self._answer(HTTPStatus.OK, "image/jpeg", self.server.session.picture(int(number)))

    def _pose(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        points, pixels = (np.array(asked[key], np.float64).reshape(-1, n) for key, n in (("points", 3), ("pixels", 2)))
        return self.server.session.pose(str(asked["object"]), int(asked["frame"]), points, pixels)

    def _save(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self.server.session.save(asked["objects"], replace=bool(asked["replace"]))

    def _done(self, _: dict[str, Any]) -> dict[str, Any]:
        threading.Thread(target=self.server.shutdown).start()
        return {}

    def _answer_json(self, status: HTTPStatus, value: Any) -> None:
        self._answer(status, "application/json", json.dumps(value).encode("utf-8"))

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
