"""Fetching weights from a real HTTP server that misbehaves, importing them, and checking what is there."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from anylift_cli.errors import AnyliftError, MissingDependencyError, UsageError
from anylift_cli.weights_store.download import Patience
from anylift_cli.weights_store.fetching import fetch, import_file, installed, read_record, verify
from anylift_cli.weights_store.manifest import ExternalFile, ExternalWeights, external_weights, packaged_folder

CONTENT = np.random.default_rng(0).integers(0, 256, 600_000, np.uint8).tobytes()
SUM = hashlib.sha256(CONTENT).hexdigest()
HASTE = Patience(attempts=3, stall=0.5, pause=0.02)
ENTRY = ExternalWeights("toy", "fit", "body", "CC0", "https://example.org/", "a toy", (ExternalFile("toy/toy.bin"),))


class Misbehaving(BaseHTTPRequestHandler):
    """Serves `CONTENT`; the path names the misbehaviour. Requests are counted and their ranges kept on the server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        way = self.path.strip("/")
        self.server.ranges.append((way, self.headers.get("Range")))
        visit = sum(path == way for path, _ in self.server.ranges)
        getattr(self, f"serve_{way}")(visit)

    def answer(self, body: bytes, length: int | None = None, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Content-Type", "application/octet-stream")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def ranged(self, stop: int | None = None, tag: str = '"one"') -> None:
        """From where the client asks, up to `stop`; the whole when its validator is another."""
        asked = self.headers.get("Range")
        start = int(asked[6:-1]) if asked and self.headers.get("If-Range") == tag else 0
        rest = CONTENT[start:]
        place = {"Content_Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
        self.answer(CONTENT[start:stop], len(rest), 206 if start else 200, ETag=tag, **place)

    def serve_whole(self, visit: int) -> None:
        self.ranged()

    def serve_truncates(self, visit: int) -> None:
        self.ranged(200_000 * visit)

    def serve_truncates_always(self, visit: int) -> None:
        self.ranged(200_000)

    def serve_changes(self, visit: int) -> None:
        self.ranged(200_000 if visit == 1 else None, f'"{visit}"')

    def serve_stalls(self, visit: int) -> None:
        self.ranged(100_000 if visit == 1 else None)
        if visit == 1:
            self.wfile.flush()
            time.sleep(1.5)

    def serve_redirects(self, visit: int) -> None:
        self.answer(b"", code=302, Location="/whole", X_Linked_Etag=f'"{SUM}"')

    def serve_redirects_corrupt(self, visit: int) -> None:
        self.answer(b"", code=302, Location="/corrupts", X_Linked_Etag=f'"{SUM}"')

    def serve_circles(self, visit: int) -> None:
        self.answer(b"", code=302, Location="/circles")

    def serve_corrupts(self, visit: int) -> None:
        self.answer(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))

    def serve_longer(self, visit: int) -> None:
        self.answer(CONTENT, len(CONTENT) + 5)

    def serve_endless(self, visit: int) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        for _ in range(100):
            self.wfile.write(CONTENT)

    def serve_page(self, visit: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"Hi!\n")

    def serve_login(self, visit: int) -> None:
        self.answer(b"", code=403)

    def serve_busy(self, visit: int) -> None:
        self.answer(b"", code=503) if visit < 3 else self.ranged()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving)
    server.ranges = []
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path / "weights"))
    for name in ("ANYLIFT_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "weights"


def entry_at(server: ThreadingHTTPServer, *ways: str, size: int | None = None, sha256: str = "") -> ExternalWeights:
    urls = tuple(f"http://127.0.0.1:{server.server_address[1]}/{way}" for way in ways)
    return replace(ENTRY, files=(ExternalFile("toy/toy.bin", urls, size, sha256),))


def yes(entry: ExternalWeights) -> bool:
    return True


get = partial(fetch, agree=yes, patience=HASTE)


@pytest.mark.parametrize("way", ["whole", "truncates", "changes", "stalls", "redirects", "busy"])
def test_what_can_be_saved_is_whole(server, folder, way):
    (path,) = get(entry_at(server, way, size=len(CONTENT), sha256=SUM))
    assert path == folder / "toy/toy.bin" and path.read_bytes() == CONTENT
    assert {file.name for file in path.parent.iterdir() if "lock" not in file.name} == {
        "toy.bin", "toy.bin.record.json",
    }  # fmt: skip
    assert read_record(path).sha256 == SUM and read_record(path).published


def test_a_broken_download_goes_on_from_where_it_was(server):
    get(entry_at(server, "truncates", sha256=SUM))
    assert server.ranges == [("truncates", None), ("truncates", "bytes=200000-"), ("truncates", "bytes=400000-")]


def test_a_later_command_goes_on_too(server, folder):
    with pytest.raises(AnyliftError, match="200000 of 600000 bytes"):
        get(entry_at(server, "truncates_always", sha256=SUM))
    assert (folder / "toy/toy.bin.incomplete").stat().st_size == 200_000
    server.ranges.clear()
    (path,) = get(entry_at(server, "whole", sha256=SUM))
    assert server.ranges == [("whole", "bytes=200000-")] and path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("way", "size", "sha256", "message"),
    [
        ("truncates_always", None, SUM, "gave up after"),
        ("circles", None, SUM, "redirect"),
        ("corrupts", None, SUM, "another sha256"),
        ("redirects_corrupt", None, "", "another sha256"),
        ("longer", None, "", "600000 of 600005 bytes"),
        ("longer", 600_000, SUM, "has 600005 bytes, the file should have 600000"),
        ("endless", 600_000, SUM, "sends more than the 600000 bytes"),
        ("page", None, SUM, "sends a web page"),
        ("login", None, SUM, "403"),
    ],
)
def test_what_cannot_be_saved_leaves_nothing_under_its_name(server, folder, way, size, sha256, message):
    with pytest.raises(AnyliftError, match=message):
        get(entry_at(server, way, size=size, sha256=sha256))
    assert not (folder / "toy/toy.bin").exists()


def test_the_next_mirror_is_tried(server):
    (path,) = get(entry_at(server, "login", "corrupts", "whole", sha256=SUM))
    assert path.read_bytes() == CONTENT and read_record(path).source.endswith("/whole")


def test_without_a_published_sum_the_first_one_is_recorded_and_said(server):
    class Listener:
        notes: list[str] = []  # noqa: RUF012

        def note(self, message: str) -> None:
            self.notes.append(message)

        def task(self, *_):
            from anylift_cli.progress import SILENT

            return SILENT.task("")

    listener = Listener()
    (path,) = get(entry_at(server, "whole"), progress=listener)
    assert read_record(path).sha256 == SUM and not read_record(path).published
    assert any("no sum is published" in note and SUM in note for note in listener.notes)


def test_what_is_there_is_not_fetched_again(server):
    entry = entry_at(server, "whole", sha256=SUM)
    assert get(entry) == get(entry) and len(server.ranges) == 1


def test_two_at_once_fetch_once(server, folder):
    entry, found = entry_at(server, "whole", sha256=SUM), []
    (folder / "toy").mkdir(parents=True)
    with FileLock(folder / "toy/.toy.bin.lock"):
        threads = [threading.Thread(target=lambda: found.append(get(entry))) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        assert server.ranges == []
    for thread in threads:
        thread.join(10)
    assert len(found) == 2 and len(server.ranges) == 1


def test_offline_is_offline(server, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingDependencyError, match="HF_HUB_OFFLINE"):
        get(entry_at(server, "whole"))
    assert server.ranges == []


def test_the_proxy_is_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr(Misbehaving, "do_GET", lambda self: (self.server.ranges.append(self.path), self.ranged()))
    entry = replace(ENTRY, files=(ExternalFile("toy/toy.bin", ("http://weights.invalid/x",), sha256=SUM),))
    assert get(entry)[0].read_bytes() == CONTENT and server.ranges == ["http://weights.invalid/x"]


def test_a_mirror_of_hugging_face_is_used(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    entry = replace(ENTRY, files=(ExternalFile("toy/toy.bin", ("https://huggingface.co/whole",), sha256=SUM),))
    assert get(entry)[0].read_bytes() == CONTENT


def test_a_licence_must_be_agreed_to_before_anything_is_fetched(server):
    gated = replace(entry_at(server, "whole"), gate="not for sale")
    with pytest.raises(UsageError, match="not for sale"):
        fetch(gated, lambda entry: False, patience=HASTE)
    assert server.ranges == []
    assert fetch(gated, yes, patience=HASTE)


def test_a_full_disk_is_said_before_anything_is_fetched(server, small_disk, monkeypatch):
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(small_disk))
    with pytest.raises(AnyliftError, match="MiB free"):
        get(entry_at(server, "whole"))


def test_only_http(folder, tmp_path):
    (tmp_path / "secret").write_text("x")
    entry = replace(ENTRY, files=(ExternalFile("toy/toy.bin", ((tmp_path / "secret").as_uri(),)),))
    with pytest.raises(AnyliftError, match="not an http address"):
        get(entry)


def test_files_are_imported_by_name_from_archives_and_by_word(folder, tmp_path):
    archive = tmp_path / "SMPL_python_v.1.1.0.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("SMPL/models/basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", b"neutral")
        stream.writestr("SMPL/models/basicmodel_f_lbs_10_207_0_v1.1.0.pkl", b"female")
        stream.writestr("SMPL/readme.txt", b"hello")
    assert import_file(archive) == [folder / "smpl/SMPL_NEUTRAL.pkl", folder / "smpl/SMPL_FEMALE.pkl"]
    assert (folder / "smpl/SMPL_FEMALE.pkl").read_bytes() == b"female"
    plain = tmp_path / "mine.bin"
    plain.write_bytes(b"x")
    with pytest.raises(UsageError, match="no file that anylift knows"):
        import_file(plain)
    assert import_file(plain, "smpl-male") == [folder / "smpl/SMPL_MALE.pkl"]


def test_verify_finds_what_was_altered(folder, tmp_path):
    source = tmp_path / "SMPL_MALE.pkl"
    source.write_bytes(b"male")
    (path,) = import_file(source)
    assert {one.state for one in verify([])} == {"ok"}
    path.write_bytes(b"mole")
    assert [(one.file, one.state) for one in verify(["smpl-male"])] == [("smpl/SMPL_MALE.pkl", "damaged")]
    assert [one.state for one in verify(["smpl-female"])] == ["missing"]
    with pytest.raises(UsageError, match="nothing"):
        verify(["nothing"])


def test_the_manifest_is_complete():
    entries = external_weights(packaged_folder())
    assert {"vitpose-base", "rtdetr", "smpl-neutral", "vposer", "megasam", "delta", "gvhmr"} <= set(entries)
    for entry in entries.values():
        assert entry.licence and entry.stage and entry.backend and entry.description
        assert entry.page.startswith("https://")
        assert entry.fetchable or entry.gate, "what cannot be fetched says why"
        assert all(url.startswith("https://") for file in entry.files for url in file.urls)
        assert installed(entry.files[0]) is None


@pytest.mark.parametrize("change", [{"file": "../x"}, {"file": "/x"}, {"odd": 1}])
def test_a_bad_manifest_is_named(tmp_path, change):
    entry = {"name": "a", "stage": "s", "backend": "b", "licence": "l", "page": "p", "description": "d"}
    file = {"file": "x", **change}
    lines = ["[[external]]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())]
    lines += ["[[external.files]]", *(f"{key} = {json.dumps(value)}" for key, value in file.items())]
    (tmp_path / "manifest.toml").write_text("\n".join(lines))
    with pytest.raises(AnyliftError, match="cannot be read"):
        external_weights(tmp_path)


def test_the_command_line(anylift, tmp_path):
    listed = json.loads(anylift("weights", "list", "--json").stdout)["weights"]
    assert {"open_body.npz", "vitpose-base", "smpl-neutral"} <= {row["name"] for row in listed}
    done = anylift("weights", "fetch", "delta")
    assert done.returncode == 2 and "--accept-licence" in done.stderr
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(b"body")
    (file,) = json.loads(anylift("weights", "import", "SMPL_NEUTRAL.pkl", "--json").stdout)["files"]
    (path,) = json.loads(anylift("weights", "path", "smpl-neutral", "--json").stdout)["files"]
    assert path == file
    Path(path).write_bytes(b"else")
    assert anylift("weights", "verify").returncode == 1


def test_what_only_its_owner_hands_out_is_said_with_the_place():
    with pytest.raises(MissingDependencyError) as caught:
        get(external_weights()["smpl-neutral"])
    assert "https://smpl.is.tue.mpg.de/" in caught.value.hint and "SMPL_NEUTRAL.pkl" in caught.value.hint
