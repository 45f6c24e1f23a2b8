"""Serves one page on this machine, and nothing else."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"


def page_server(page: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server that answers `/` with the file `page` as it is at that time; every other path is not found.

    Args:
        port: 0 for any that is free.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/":
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = page.read_bytes()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer((HOST, port), Handler)


def serve_page(page: Path, announce: Callable[[str], object]) -> None:
    """Serve `page` until Ctrl-C, and open it in the browser where there is one.

    Args:
        announce: told the address.
    """
    with page_server(page) as server:
        address = f"http://{HOST}:{server.server_address[1]}/"
        announce(address)
        webbrowser.open(address)
        server.serve_forever()
