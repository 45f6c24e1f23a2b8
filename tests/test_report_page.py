"""The browser report: its data against the motion, its program in a real browser, what it refuses to do."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import html
import json
import re
import threading
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import Opened, chromium
from motions import keypoints_of, walking
from scipy.spatial.transform import Rotation

from anylift_cli.errors import AnyliftError
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.export.worlds import in_one_world
from anylift_cli.geometry.cameras import look_at, project
from anylift_cli.rendering.mesh import draw_mesh
from anylift_cli.report.html import ReportSources, report_page, write_report
from anylift_cli.report.html_arrays import pack, quaternions
from anylift_cli.report.html_provenance import LONGEST, describe_making
from anylift_cli.report.html_server import page_server
from anylift_cli.report.html_timelines import MOVING, STILL, TURNING, ZOOMING, camera_states
from anylift_cli.report.html_verdict import FAIR, GOOD, POOR, headline, judge, weak_moments
from anylift_cli.report.html_video import small_video
from anylift_cli.report.quality import Series, foot_slide, jitter, max_jump, measure
from anylift_cli.video import VideoWriter, probe

FRAMES = 45
SIZE = 480, 360
BACKGROUND = 240
BODY_COLOR = 30, 60, 160
FROM_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">'&\u202e\u2028 名 " + "long" * 80


@pytest.fixture(scope="module")
def motion(body):
    """A walk, filmed by a camera that turns after it."""
    made = walking(body, FRAMES, image_size=SIZE)
    eye = np.array([0.5, -4.0, 1.6])
    made.world_from_camera = np.stack([look_at(eye, (x, 0, 0.9)) for x in made.trans[:, 0]])
    made.foot_contact[10:30, 0] = 1
    made.meta |= {"motion": "rotating", "stage": "fit", "seconds": 2.5}
    return made


@pytest.fixture(scope="module")
def vertices(body, motion):
    from anylift_cli.body.parameters import pose_matrices, shape_of

    pose, trans = pose_matrices(motion), np.asarray(motion.trans)
    import torch

    return body.vertices(pose, shape_of(motion, body), torch.from_numpy(trans)).numpy().astype(np.float64)


@pytest.fixture(scope="module")
def video(body, motion, vertices, tmp_path_factory) -> Path:
    """What the motion's camera sees of it."""
    path = tmp_path_factory.mktemp("video") / "walk.mp4"
    with VideoWriter(path, *SIZE, 30) as writer:
        for frame in range(FRAMES):
            writer.write(drawn(body, motion, vertices, frame))
    return path


def drawn(body, motion, vertices, frame) -> np.ndarray:
    image = np.full((SIZE[1], SIZE[0], 3), BACKGROUND, np.uint8)
    return draw_mesh(image, vertices[frame], body.faces, motion.world_from_camera[frame], motion.K[frame], BODY_COLOR)


@pytest.fixture(scope="module")
def sources(body, motion, video) -> ReportSources:
    meta = {"stage": "keypoints", "seconds": 1.25, "key_parts": {"backend": "exact"}}
    return ReportSources(Take((motion,), ("walk",)), "walk.mp4", keypoints_of(motion, body), video, (meta,))


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(browser, sources, tmp_path_factory):
    file = write_report(sources, tmp_path_factory.mktemp("page") / "report.html")
    shown = Opened(browser, file, viewport={"width": 1280, "height": 900})
    yield shown
    assert shown.complaints == []
    assert shown.requests == []


def report_data(page: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Facts and arrays that a page holds, read apart from the program that shows them."""
    blocks = dict(re.findall(r'<script type="[^"]*" id="([^"]*)">(.*?)</script>', page, re.S))
    facts = json.loads(blocks["report-data"])
    data = gzip.decompress(base64.b64decode(blocks["array-data"]))
    arrays = {
        name: np.frombuffer(data, spec["type"], int(np.prod(spec["shape"])), spec["offset"]).reshape(spec["shape"])
        for name, spec in facts["arrays"].items()
    }
    return facts, arrays


def test_packed_arrays_come_back():
    arrays = {"a": np.arange(5, dtype=np.uint8), "b": np.linspace(0, 1, 6).astype(np.float32).reshape(2, 3)}
    index, data = pack(arrays)
    raw = gzip.decompress(base64.b64decode(data))
    assert index["b"] == {"type": "float32", "shape": [2, 3], "offset": 8}
    assert raw[:5] == bytes(range(5))
    assert np.array_equal(np.frombuffer(raw, "<f4", 6, 8).reshape(2, 3), arrays["b"])
    assert pack(arrays) == (index, data)
    with pytest.raises(ValueError, match="float64"):
        pack({"a": np.zeros(1)})


def test_stored_rotations_are_off_by_less_than_a_hundredth_of_a_degree():
    rotations = Rotation.random(500, random_state=1)
    stored = Rotation.from_quat(quaternions(rotations.as_matrix()).astype(float))
    assert np.degrees((stored * rotations.inv()).magnitude().max()) < 0.01


def test_people_of_one_video_share_its_camera(body, motion):
    """The second walks the same way 1 m beside and 10 frames later, in a world that begins at that one's own feet."""
    rows = slice(10, FRAMES)
    shift = np.array([0.3, 1.0, -0.05])
    per_frame = [spec.name for spec in motion.array_fields() if spec.metadata["dims"][:1] == ["T"]]
    second = dataclasses.replace(motion, **{name: getattr(motion, name)[rows] for name in per_frame})
    cameras = second.world_from_camera.copy()
    cameras[:, :3, 3] -= shift
    second = dataclasses.replace(
        second, trans=second.trans - shift, joints=second.joints - shift, world_from_camera=cameras
    )
    first, moved = in_one_world([motion, second])
    assert first is motion
    assert moved.joints == pytest.approx(motion.joints[rows], abs=1e-5)
    assert moved.trans == pytest.approx(motion.trans[rows], abs=1e-5)
    assert moved.world_from_camera == pytest.approx(motion.world_from_camera[rows], abs=1e-9)


def test_frames_figures_make_up_the_clips(body, motion):
    figures, series = measure(motion, keypoints_of(motion, body), body)
    assert np.nanmean(series.jitter_mm) == pytest.approx(jitter(motion.joints, motion.timestamps))
    assert np.nanmax(series.jump_cm) == pytest.approx(max_jump(motion.joints, motion.timestamps))
    assert series.penetration_cm.mean() == pytest.approx(figures["penetration_cm"], abs=1e-3)
    assert np.isnan(series.jitter_mm[[0, -1]]).all() and np.isfinite(series.jitter_mm[1:-1]).all()
    assert np.flatnonzero(np.isfinite(series.foot_slide_cm_s)).tolist() == list(range(11, 30))
    heel = body_heel(body, motion)
    assert series.foot_slide_cm_s[20] == pytest.approx(np.linalg.norm(heel[20] - heel[19]) * 30 * 100, rel=1e-4)
    assert figures["foot_slide_cm_s"] == pytest.approx(np.nanmean(series.foot_slide_cm_s), abs=1e-3)
    assert foot_slide(np.zeros((2, 4, 3)), np.ones((2, 4)), np.array([0, 1.0])) == 0


def body_heel(body, motion) -> np.ndarray:
    from motions import _points

    from anylift_cli.body.skeleton import K

    return _points(motion, body).keypoints.numpy()[:, K["left_heel"], :2].astype(np.float64)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_motions_have_series_too(body, frames):
    motion = walking(body, frames)
    series = measure(motion, None, body)[1]
    assert {len(values) for values in vars(series).values()} == {frames}
    assert np.isnan(series.reprojection_px).all()


def test_camera_states_by_hand():
    """Still for 1 s, then 10 degrees/s, then 0.5 m/s, then a zoom of 20 %/s."""
    times = np.arange(120) / 30
    angle = np.radians(10) * np.clip(times - 1, 0, 1)
    poses = np.tile(np.eye(4), (120, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(np.stack([0 * angle, angle, 0 * angle], -1)).as_matrix()
    poses[:, 0, 3] = 0.5 * np.clip(times - 2, 0, 1)
    K = np.tile(np.diag([500.0, 500.0, 1.0]), (120, 1, 1))
    K[:, 0, 0] = K[:, 1, 1] = 500 * 1.2 ** np.clip(times - 3, 0, 1)
    states = camera_states(poses, K, times)
    assert states[[10, 45, 75, 110]].tolist() == [STILL, TURNING, MOVING, ZOOMING]
    assert camera_states(poses[:1], K[:1], times[:1]).tolist() == [STILL]


def calm(frames: int) -> Series:
    zeros = np.zeros(frames)
    return Series(np.ones(frames), zeros.copy(), zeros.copy(), zeros.copy(), zeros.copy(), zeros.copy(), zeros.copy())


def test_weak_seconds_by_hand():
    """Of four seconds the second jumps once, the third slides throughout, in the fourth nobody is there."""
    series, times = calm(120), np.arange(120) / 30
    series.jump_cm[40] = 200
    series.foot_slide_cm_s[60:90] = 9
    series.foot_slide_cm_s[71] = 11
    series.confidence[100:110] = 0
    moments = weak_moments(series, times)
    found = {(round(moment.time, 3), moment.measure, moment.rating) for moment in moments}
    assert found == {
        (round(40 / 30, 3), "jump_cm", POOR),
        (round(71 / 30, 3), "foot_slide_cm_s", FAIR),
        (round(100 / 30, 3), "confidence", POOR),
    }
    assert [moment.severity for moment in moments] == sorted((m.severity for m in moments), reverse=True)
    assert "11 cm/s" in next(m.words for m in moments if m.measure == "foot_slide_cm_s")


def test_verdict_follows_the_figures():
    good = judge({}, calm(30))
    assert {row["rating"] for row in good} <= {GOOD, ""}
    assert headline([good], [], 1.0)["rating"] == GOOD
    fair = [{"name": "jitter_mm", "value": 20, "rating": FAIR}]
    poor = [{"name": "penetration_cm", "value": 9, "rating": POOR}]
    assert headline([fair], [], 1.0) == {
        "rating": FAIR,
        "words": "Usable, with weak spots.",
        "detail": "Jitter is a little high; no second is marked as weak.",
    }
    assert headline([fair, poor], [], 1.0)["rating"] == POOR


def test_making_survives_any_meta():
    stages = describe_making(
        [{}, {"stage": ["x"], "seconds": "soon", "options": 3, "key_parts": None, "body": "open", "scale": {"a": 1}},
         {"stage": "lift", "lifter": "y" * 5000, "seconds": 3}]
    )  # fmt: skip
    assert [stage["stage"] for stage in stages] == ["unknown", '["x"]', "lift"]
    assert [stage["seconds"] for stage in stages] == [None, None, 3.0]
    assert max(len(note["text"]) for stage in stages for note in stage["notes"]) <= LONGEST


def test_page_holds_the_motion(body, motion, sources):
    page = report_page(dataclasses.replace(sources, video=None))
    facts, arrays = report_data(page)
    assert facts["clip"]["frames"] == FRAMES
    assert arrays["times"] == pytest.approx(motion.timestamps, abs=1e-5)
    assert arrays["person0.root"] == pytest.approx(motion.joints[:, 0] @ FROM_Z_UP.T, abs=1e-4)
    assert arrays["lanes0.reprojection_percent"].max() < 0.01
    assert arrays["detected0.points"] == pytest.approx(sources.keypoints.keypoints[0], abs=1e-3)


def test_page_admits_only_its_own_scripts_and_escapes_names(motion, sources):
    hostile = dataclasses.replace(motion, meta={**motion.meta, "lifter": HOSTILE, "motion": HOSTILE})
    page = report_page(
        ReportSources(Take((hostile,), (HOSTILE,)), HOSTILE + "\udcff", None, None, ({"stage": HOSTILE},))
    )
    assert report_data(page)[0]["scene"]["people"][0]["name"] == HOSTILE
    assert 'onerror="' not in page and "<img" not in page
    assert html.unescape(re.search("<title>(.*?)</title>", page, re.S)[1]) == HOSTILE + "?"
    policy = re.search('Content-Security-Policy" content="(.*?)"', page)[1]
    assert "unsafe" not in policy and "default-src 'none'" in policy
    scripts = re.findall(r'<script(?: type="module")?>(.*?)</script>', page, re.S)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert len(scripts) == 2
    assert re.search("script-src (.*?);", policy)[1].split() == [f"'sha256-{digest}'" for digest in hashes]


def test_small_video_keeps_times_and_stays_small(video, tmp_path):
    out = tmp_path / "small.mp4"
    picked = [3, 4, 9, 20]
    out.write_bytes(small_video(video, picked, np.array(picked) / 30, 2 / 30, (1920, 1440)))
    about = probe(out)
    assert (about.width, about.height, about.frame_count) == (640, 480, 4)
    from anylift_cli.video import read_frames

    shown = [frame.time for frame in read_frames(out)]
    assert np.diff(shown) == pytest.approx(np.diff(picked) / 30, abs=1e-3)


def test_keypoints_of_another_run_are_refused(motion, sources):
    other = dataclasses.replace(motion, meta={**motion.meta, "person": 4})
    with pytest.raises(AnyliftError, match="person 5"):
        report_page(dataclasses.replace(sources, take=Take((other,), ("x",))))


def test_server_gives_the_page_and_nothing_else(tmp_path):
    page = tmp_path / "report.html"
    page.write_text("<p>here", encoding="utf-8")
    with page_server(page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert server.server_address[0] == "127.0.0.1"
        assert urllib.request.urlopen(address + "/").read() == b"<p>here"
        for path in ("/report.html", "/../report.html", "//etc/passwd", "/?x"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(address + path)
        server.shutdown()


def test_command_writes_the_page(anylift, motion, tmp_path):
    motion.save(tmp_path / "walk.npz")
    done = anylift("view", "walk.npz", "--out", "page.html", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["report"] == "page.html"
    facts, arrays = report_data((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert facts["title"] == "walk.npz"
    assert np.isnan(arrays["lanes0.reprojection_percent"]).all()
    wrong = anylift("view", "walk.npz", "--work-dir", "nowhere")
    assert wrong.returncode == 2 and "keypoints.npz" in wrong.stderr
    assert anylift("view", "walk.npz", "--out", "walk.npz").returncode == 2
    assert anylift("view", "walk.npz", "--object-mesh", "box").returncode == 2


@pytest.mark.parametrize("frame", [0, 17, FRAMES - 1])
def test_browser_poses_the_body(opened, motion, frame):
    """Joints in the 3D view are the motion's within 1 mm; seen by the video's camera they are where it saw them."""
    opened.seek(frame)
    joints = np.reshape(opened.ask("Array.from(parts.world.bodies[0].joints)"), (-1, 3)) @ FROM_Z_UP
    assert np.abs(joints - motion.joints[frame]).max() < 1e-3
    truth = project(motion.joints[frame].astype(np.float64), motion.world_from_camera[frame], motion.K[frame])
    seen = opened.ask("Array.from(parts.world.film.project(parts.world.bodies[0].joints, parts.world.frame))")
    assert np.abs(np.reshape(seen, (-1, 2)) - truth).max() < 0.3


def test_browser_view_from_the_videos_camera_matches_python(opened, body, motion, vertices):
    """The canvas shows, pixel by pixel, the silhouette that our own renderer draws from the same camera."""
    frame = 17
    opened.seek(frame)
    opened.page.click("[data-view=camera]")
    opened.ask("parts.world.bodies[0].trail.visible = false; parts.world.render()")
    width, height = opened.ask("[parts.world.canvas.clientWidth, parts.world.canvas.clientHeight]")
    scale = min(width / SIZE[0], height / SIZE[1])
    centre = np.array([width - SIZE[0] * scale, height - SIZE[1] * scale]) / 2
    truth = project(motion.joints[frame].astype(np.float64), motion.world_from_camera[frame], motion.K[frame])
    assert np.abs(np.array(opened.ask("parts.world.jointsOnCanvas(0)")) - (truth * scale + centre)).max() < 0.5

    png = opened.ask("(parts.world.render(), parts.world.canvas.toDataURL('image/png').split(',')[1])")
    shot = decoded(png)
    K = np.array([[scale, 0, centre[0]], [0, scale, centre[1]], [0, 0, 1]]) @ motion.K[frame]
    expected = np.zeros((*shot.shape[:2], 3), np.uint8)
    draw_mesh(expected, vertices[frame], body.faces, motion.world_from_camera[frame], K, (255, 255, 255))
    orange = (shot[..., 2].astype(int) - shot[..., 0]) > 60
    assert overlap(orange, expected[..., 0] > 110) > 0.96
    opened.ask("parts.world.bodies[0].trail.visible = true")
    opened.page.click("[data-view=free]")


def test_browser_video_is_in_step(opened, body, motion, vertices):
    """The picture under the skeleton is the one of the same frame, and of no other."""
    for frame in (5, 30):
        opened.seek(frame)
        png = opened.ask(
            """() => {
              const video = document.getElementById("video");
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
              canvas.getContext("2d").drawImage(video, 0, 0);
              return canvas.toDataURL("image/png").split(",")[1];
            }"""
        )
        shown = decoded(png)[..., 2] < 190
        same, near = (
            overlap(shown, drawn(body, motion, vertices, other)[..., 0] < 190) for other in (frame, frame + 3)
        )
        assert same > 0.95
        assert same > near + 0.05


def test_browser_plays_and_stops(opened):
    opened.seek(0)
    opened.ask("document.querySelector('video').playbackRate = 0.25")
    opened.page.click("#play")
    opened.wait("parts.player.frame > 4")
    assert opened.page.get_attribute("#play", "aria-label") == "Pause"
    opened.page.click("#play")
    stopped = opened.ask("parts.player.frame")
    opened.page.wait_for_timeout(200)
    assert opened.ask("parts.player.frame") == stopped
    opened.seek(FRAMES - 4)
    opened.page.keyboard.press("Space")
    opened.wait("!parts.player.playing")
    assert opened.ask("parts.player.frame") == FRAMES - 1


def test_browser_keys_and_scrubber(opened):
    opened.seek(0)
    opened.ask("document.activeElement.blur()")
    frames = []
    for key in ("End", "ArrowLeft", "Home", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowLeft"):
        opened.page.keyboard.press(key)
        frames.append(opened.ask("parts.player.frame"))
    assert frames == [FRAMES - 1, FRAMES - 2, 0, 1, 31, 1]
    opened.page.fill("#scrub", "22")
    assert opened.ask("parts.player.frame") == 22
    assert "frame 22" in opened.page.get_attribute("#scrub", "aria-valuetext")
    area = opened.page.locator(".lane-plot").first.bounding_box()
    opened.page.mouse.click(area["x"] + 0.5 * area["width"], area["y"] + 10)
    assert opened.ask("parts.player.frame") == pytest.approx((FRAMES - 1) / 2, abs=1)


def test_browser_orbits_and_names_its_views(opened):
    direction = "parts.world.camera.position.clone().sub(parts.world.controls.target).normalize().toArray()"
    opened.page.click("[data-view=front]")
    front = np.array(opened.ask(direction))
    box = opened.page.locator("#world-canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.page.mouse.move(*middle)
    opened.page.mouse.down()
    opened.page.mouse.move(middle[0] + 80, middle[1], steps=4)
    opened.page.mouse.up()
    turned = np.array(opened.ask(direction))
    assert 5 < np.degrees(np.arccos(front @ turned)) < 120
    assert opened.page.get_attribute("[data-view=free]", "aria-pressed") == "true"
    opened.page.focus("#world-canvas")
    frame = opened.ask("parts.player.frame")
    opened.page.keyboard.press("ArrowRight")
    assert np.degrees(np.arccos(turned @ np.array(opened.ask(direction)))) == pytest.approx(np.degrees(0.15), abs=1)
    assert opened.ask("parts.player.frame") == frame
    opened.page.click("[data-view=top]")
    assert opened.ask(direction)[1] > 0.99
    opened.page.click("[data-view=free]")


def test_browser_weak_seconds_are_links(opened):
    first = opened.page.locator("#moments button").first
    time = opened.ask("JSON.parse(document.getElementById('report-data').textContent).moments[0].time")
    first.click()
    assert opened.ask("parts.player.time") == pytest.approx(time, abs=0.02)


def test_browser_connects_to_nothing(browser, sources, tmp_path):
    shown = Opened(browser, write_report(dataclasses.replace(sources, video=None), tmp_path / "a.html"))
    assert (shown.complaints, shown.requests) == ([], [])
    refused = shown.ask("fetch('http://127.0.0.1:9/').then(() => 'went out', (error) => String(error))")
    assert "went out" not in refused
    assert any("Content Security Policy" in said for said in shown.complaints)
    shown.page.close()


def test_browser_without_video_plays_by_its_own_clock(browser, sources, tmp_path):
    page = write_report(dataclasses.replace(sources, video=None, keypoints=None), tmp_path / "a.html")
    shown = Opened(browser, page, viewport={"width": 900, "height": 700})
    assert shown.page.is_hidden("#picture")
    shown.page.keyboard.press("Space")
    shown.wait("!parts.player.playing")
    assert shown.ask("parts.player.frame") == FRAMES - 1
    assert (shown.complaints, shown.requests) == ([], [])
    shown.page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_browser_shows_hostile_names_on_a_phone(browser, body, motion, tmp_path, theme):
    hostile = dataclasses.replace(
        motion,
        object_names=np.array([HOSTILE]),
        world_from_object=np.tile(np.eye(4), (1, FRAMES, 1, 1)),
        meta={**motion.meta, "lifter": HOSTILE},
    )
    take = Take((hostile, motion), (HOSTILE, ""), ExportOptions(fps=15))
    file = write_report(ReportSources(take, HOSTILE, None, None, ({"stage": HOSTILE},)), tmp_path / "a.html")
    shown = Opened(browser, file, viewport={"width": 400, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    assert shown.page.text_content("#title") == HOSTILE
    assert shown.page.text_content("#person option") == HOSTILE
    assert shown.page.text_content("#making td") == HOSTILE
    assert shown.page.title().startswith("</script><img")
    assert shown.ask("document.images.length") == 0
    wide = """[...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > 400)
      .map((one) => one.tagName + "#" + one.id)"""
    assert shown.ask("document.scrollingElement.scrollWidth") <= 400, shown.ask(wide)
    shown.page.select_option("#person", "1")
    assert shown.ask("[parts.lanes.person, parts.world.focus]") == [1, 1]
    sky = decoded(shown.ask("(parts.world.render(), parts.world.canvas.toDataURL('image/png').split(',')[1])"))[5, 5]
    page = [int(part) for part in re.findall(r"\d+", shown.ask("getComputedStyle(document.body).backgroundColor"))]
    assert min(*page, *sky) > 220 if theme == "light" else max(*page, *sky) < 60
    assert (shown.complaints, shown.requests) == ([], [])
    shown.page.close()


def decoded(png: str | bytes) -> np.ndarray:
    """BGR pixels of a base64 PNG."""
    return cv2.imdecode(np.frombuffer(base64.b64decode(png), np.uint8), cv2.IMREAD_COLOR)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()
