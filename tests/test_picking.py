"""The clicking page: what it saves, what it refuses, and its program in a real browser."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from browser import Opened, chromium
from object_scenes import IMAGE, BoxScene, artifacts_of, box_mesh, box_scene, clicks, film_box, pose_errors

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.cameras import default_focal
from anylift_cli.meshes.balls import outline
from anylift_cli.objects.base import ObjectFiles, Prompts
from anylift_cli.objects.stage import read_targets
from anylift_cli.picking.server import PickServer
from anylift_cli.picking.session import FileExistsAlready, PickSession, lens_of
from anylift_cli.rendering.silhouette import silhouette
from anylift_cli.video import read_frames_at

RADIUS = 0.12
CENTRE = np.array([0.5, -0.3, 3.0])


@pytest.fixture(scope="module")
def scene() -> BoxScene:
    return box_scene(8)


@pytest.fixture(scope="module")
def filmed(scene, tmp_path_factory) -> Path:
    """A folder with a video, a box in millimetres and a ball."""
    folder = tmp_path_factory.mktemp("pick")
    film_box(scene, folder / "video.mp4")
    mesh = box_mesh()
    mesh.apply_scale(1000)
    mesh.export(folder / "box.stl")
    trimesh.creation.icosphere(radius=RADIUS).export(folder / "ball.obj")
    return folder


@pytest.fixture
def session(scene, filmed, tmp_path) -> PickSession:
    return new_session(scene, filmed, tmp_path / "points.json")


def new_session(scene: BoxScene, filmed: Path, out: Path) -> PickSession:
    video = filmed / "video.mp4"
    return PickSession(video, prompts_of(filmed), lens_of(video, *artifacts_of(scene)), out)


def prompts_of(filmed: Path, points: Path | None = None) -> Prompts:
    return Prompts((ObjectFiles(filmed / "box.stl", 0.36), ObjectFiles(filmed / "ball.obj")), points)


def in_millimetres(entry: dict) -> dict:
    return entry | {"points": (1000 * np.array(entry["points"])).round(3).tolist()}


def rim(scene: BoxScene, count: int = 6) -> list:
    return outline(scene.K[0], CENTRE, RADIUS, count).tolist()


def test_clicks_become_a_pose_with_its_outline(scene, session):
    entry = in_millimetres(clicks(scene, noise=0.5))
    found = session.pose("box", 0, np.array(entry["points"]), np.array(entry["pixels"]))
    assert 0.05 < found["rms"] < 1 and len(found["miss"]) == 7
    assert np.array(found["seen"]) == pytest.approx(np.array(entry["pixels"]), abs=2)
    assert found["distance"] == pytest.approx(np.linalg.norm(scene.camera_from_object[0, :3, 3]), abs=0.03)
    drawn = np.zeros(IMAGE[::-1], np.uint8)
    cv2.fillPoly(drawn, [np.round(np.array(polygon) - 0.5).astype(np.int32) for polygon in found["outline"]], 255)
    mesh = box_mesh()
    true = silhouette(np.array(mesh.vertices), np.array(mesh.faces), scene.camera_from_object[0], scene.K[0], IMAGE)
    assert ((drawn > 0) & (true > 0)).sum() / ((drawn > 0) | (true > 0)).sum() > 0.96
    wrong = np.random.default_rng(0).permutation(entry["pixels"])
    assert session.pose("box", 0, np.array(entry["points"]), wrong) is None


def test_a_ball_needs_its_outline_only(scene, session):
    found = session.pose("ball", 0, np.zeros((0, 3)), np.array(rim(scene)))
    assert found["rms"] < 0.5 and found["distance"] == pytest.approx(np.linalg.norm(CENTRE), rel=0.01)
    centre = np.array(found["outline"][0]).mean(0)
    assert centre == pytest.approx(np.array(rim(scene)).mean(0), abs=1)


def test_what_is_saved_is_what_the_stage_reads(scene, filmed, session):
    box = [in_millimetres(clicks(scene, row)) for row in (4, 0)]
    box.append({"frame": 6, "pixels": [[1, 2]], "points": [[3, 4, 5]]})
    entries = {"box": box, "ball": [{"frame": 0, "pixels": rim(scene)}]}
    told = session.save(entries, replace=False)
    assert told == {"saved": [["box", 4, 7], ["box", 0, 7], ["ball", 0, 6]], "left_out": [["box", 6, 1]]}
    box, ball = read_targets(prompts_of(filmed, session.out), scene.K, np.arange(8))
    assert [anchor.row for anchor in box.anchors] == [0, 4]
    for anchor in box.anchors:
        place, turn = pose_errors(anchor.camera_from_object[None], scene.camera_from_object[anchor.row][None])
        assert place[0] < 0.01 and turn[0] < 0.5
    assert ball.anchors[0].camera_from_object[:3, 3] == pytest.approx(CENTRE, abs=0.02)


def test_a_file_is_never_replaced_unasked(scene, filmed, session):
    """Poses in it, and objects that are not being clicked, outlive the clicking."""
    pose = {"frame": 7, "camera_from_object": scene.camera_from_object[7].tolist()}
    entry = in_millimetres(clicks(scene))
    session.out.write_text(json.dumps({"box": [pose], "lamp": [entry]}))
    before = sha256_of(session.out)
    with pytest.raises(FileExistsAlready, match="exists"):
        session.save({"box": [entry]}, replace=False)
    assert sha256_of(session.out) == before

    again = new_session(scene, filmed, session.out)
    assert again.entries == {"box": [], "ball": []}
    again.save({"box": [entry]}, replace=True)
    again.save({"box": [entry]}, replace=False)
    assert json.loads(session.out.read_text()) == {"lamp": [entry], "box": [entry, pose]}
    assert new_session(scene, filmed, session.out).entries["box"] == [entry]
    session.out.write_text("{}")
    with pytest.raises(FileExistsAlready):
        again.save({"box": [entry]}, replace=False)


def test_without_cameras_the_focal_length_is_guessed(scene, filmed, tmp_path):
    lens = lens_of(filmed / "video.mp4", None, None)
    assert (lens.first, lens.last) == (0, 7) and "not known" in lens.source
    assert lens.of(3)[0, 0] == pytest.approx(default_focal(*IMAGE))
    keypoints, cameras = artifacts_of(scene)
    keypoints.frame_index = keypoints.frame_index + 100
    lens = lens_of(filmed / "video.mp4", keypoints, cameras)
    assert (lens.first, lens.last) == (100, 107) and np.array_equal(lens.of(105), scene.K[5])
    with pytest.raises(AnyliftError, match="the keypoints cover 8 frames, the cameras 4"):
        cameras.K = cameras.K[:4]
        lens_of(filmed / "video.mp4", keypoints, cameras)
    with pytest.raises(UsageError, match="not metres"):
        PickSession(filmed / "video.mp4", Prompts((ObjectFiles(filmed / "box.stl"),)), lens, tmp_path / "points.json")


@contextmanager
def served(session: PickSession) -> Iterator[PickServer]:
    with PickServer(session) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(address: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_only_the_secret_address_answers(filmed, session):
    with served(session) as server:
        root = f"http://{server.host}/"
        assert server.address.startswith("http://127.0.0.1:") and len(server.address) > len(root) + 30
        assert ask(server.address)[0] == 200
        for other in (root, f"{root}wrong/", f"{server.address}points.json", f"{server.address}../", f"{root}frame/0"):
            assert ask(other)[0] == 404
        assert ask(server.address, Host="evil.example")[0] == 404
        assert ask(f"{root}save", b"{}")[0] == 404

        status, jpeg = ask(f"{server.address}frame/5")
        shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        (frame,) = read_frames_at(filmed / "video.mp4", [5])
        assert status == 200 and np.abs(shown.astype(int) - frame.image).mean() < 3
        for path, body, words in (
            ("frame/500", None, b"no frame 500"),
            ("frame/../../x", None, b"not understood"),
            ("pose", b"[", b"not understood"),
            ("pose", b'{"object": "lamp", "frame": 0, "points": [], "pixels": []}', b"not understood"),
            ("save", b"[]", b"not understood"),
        ):
            status, answer = ask(server.address + path, body)
            assert status == 400 and words in answer
        assert not session.out.exists()


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


def click(shown: Opened, view: str, script: str, argument: object) -> None:
    """A real press of the mouse where a part of the page puts a point."""
    box = shown.page.locator(view).bounding_box()
    x, y = shown.ask(script, argument)
    shown.page.mouse.click(box["x"] + x, box["y"] + y)


YELLOW = """() => {
  const canvas = document.getElementById("photo");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const places = [];
  for (let i = 0; i < data.length; i += 4) {
    const place = [(i / 4) % canvas.width, Math.floor(i / 4 / canvas.width)];
    if (data[i] > 240 && data[i + 1] > 210 && data[i + 2] < 110) places.push(place);
  }
  return places;
}"""
"""Pixels of the drawn outline; the density of the screen is 1."""
MESH, PHOTO = "(point) => parts.surface.onCanvas(point)", "(pixel) => parts.photo.onCanvas(pixel)"


def test_someone_clicks_a_box_and_a_ball(browser, scene, filmed, session):
    with served(session) as server:
        shown = Opened(browser, server.address, "anyliftPick", viewport={"width": 900, "height": 700})
        entry = in_millimetres(clicks(scene, 3))
        shown.page.fill("#number", "3")
        shown.page.keyboard.press("Enter")
        shown.wait("parts.photo.image && parts.photo.wanted === 'frame/3'")
        seen = [shown.ask("(point) => parts.surface.seen(point)", point) for point in entry["points"]]
        assert sum(seen) >= 3
        for number, (point, pixel) in enumerate(zip(entry["points"], entry["pixels"], strict=True)):
            shown.ask(
                """(point) => {
                  const { camera, controls } = parts.surface;
                  const away = new libraries.Vector3(...point).sub(controls.target).multiplyScalar(4);
                  camera.position.copy(controls.target).add(away);
                  controls.update();
                }""",
                point,
            )
            assert "mesh" in shown.page.inner_text("#next")
            click(shown, "#mesh", MESH, point)
            assert shown.page.inner_text("#next") == "Now click the same point in the picture."
            click(shown, "#photo", PHOTO, pixel)
            assert shown.page.locator("#pairs li").count() == number + 1
            assert not shown.page.locator("#fit").is_visible() or number >= 5
        shown.wait("parts.result && parts.result !== 'none'")
        assert shown.page.inner_text("#fit").startswith("fits to 0.") and shown.ask("parts.result.rms") < 1.2
        kept = shown.ask("parts.pairs")
        assert np.array([pair["point"] for pair in kept]) == pytest.approx(np.array(entry["points"]), abs=0.01)
        assert np.array([pair["pixel"] for pair in kept]) == pytest.approx(np.array(entry["pixels"]), abs=1.5)
        yellow = np.array(shown.ask(YELLOW))
        drawn = np.array(shown.ask("parts.result.outline.flat().map((pixel) => parts.photo.onCanvas(pixel))"))
        assert len(yellow) > 120
        assert yellow.min(0) == pytest.approx(drawn.min(0), abs=3)
        assert yellow.max(0) == pytest.approx(drawn.max(0), abs=3)

        shown.page.click("#undo")
        assert shown.page.locator("#pairs li").count() == 6
        shown.page.click("#pairs li:nth-child(2) button")
        assert shown.page.locator("#pairs li").count() == 5 and not shown.page.locator("#fit").is_visible()
        shown.page.click("#save")
        shown.wait("document.getElementById('saved').textContent.includes('too few clicks: box in frame 3 (5)')")
        for number in (1, 6):
            click(shown, "#photo", PHOTO, entry["pixels"][number])
            shown.ask("(point) => parts.add({ point })", entry["points"][number])

        shown.page.select_option("#object", "1")
        shown.page.fill("#number", "0")
        shown.page.keyboard.press("Enter")
        shown.wait("parts.frame === 0 && parts.photo.wanted === 'frame/0'")
        assert not shown.page.locator("#mesh").is_visible()
        for pixel in rim(scene):
            click(shown, "#photo", PHOTO, pixel)
        shown.wait("parts.result && parts.result !== 'none'")
        shown.page.click("#save")
        shown.wait("document.getElementById('saved').textContent.includes('ball in frame 0 (6)')")
        assert shown.complaints == [] and shown.requests == []
        shown.page.close()
    box, ball = read_targets(prompts_of(filmed, session.out), scene.K, np.arange(8))
    place, turn = pose_errors(box.anchors[0].camera_from_object[None], scene.camera_from_object[3][None])
    assert place[0] < 0.03 and turn[0] < 2
    assert ball.anchors[0].camera_from_object[:3, 3] == pytest.approx(CENTRE, abs=0.15)


def test_a_page_goes_on_with_a_file_and_asks_before_it_replaces_it(browser, scene, filmed, session):
    entry = in_millimetres(clicks(scene, 2))
    session.out.write_text(json.dumps({"box": [entry]}))
    with PickServer(new_session(scene, filmed, session.out)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        shown = Opened(browser, server.address, "anyliftPick", viewport={"width": 400, "height": 800})
        shown.wait("parts.result && parts.frame === 2")
        assert shown.page.locator("#pairs li").count() == 7
        assert shown.ask("document.documentElement.scrollWidth <= 400")
        shown.page.click("#undo")
        shown.page.click("#save")
        shown.page.click("#replace", timeout=20_000)
        shown.wait("document.getElementById('saved').textContent.startsWith('Saved')")
        six = {"frame": 2, "pixels": entry["pixels"][:6], "points": entry["points"][:6]}
        assert json.loads(session.out.read_text()) == {"box": [six]}
        shown.page.click("#done")
        thread.join(20)
        assert not thread.is_alive()
        assert [line for line in shown.complaints if "409" not in line] == [] and shown.requests == []
        shown.page.close()
