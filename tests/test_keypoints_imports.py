"""Keypoints of other tools: their file formats, written here by their schemas, and real output files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.errors import AnyliftError, NothingFoundError, UsageError
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.imports.layouts import LAYOUTS, to_body24
from anylift_cli.keypoints.imports.read import read_keypoints
from anylift_cli.keypoints.stage import run_keypoints
from anylift_cli.pipeline import Source, run_stage
from anylift_cli.stages import keypoints_stage
from anylift_cli.video import VideoWriter, probe

FIXTURES = Path(__file__).parents[2] / "shared" / "data" / "fixtures"
WITH_FEET = set(BODY24)
WITHOUT_FEET = set(BODY24[:18])
Person = tuple[np.ndarray, np.ndarray]


def in_layout(person: Person, names: tuple[str, ...], count: int) -> np.ndarray:
    """(count, 3) x, y, confidence in another tool's order; points that only it has are somewhere."""
    points, confidence = person
    rows = np.tile([3.0, 4.0, 0.9], (count, 1))
    for index, name in enumerate(names):
        if name in K:
            rows[index] = *np.nan_to_num(points[K[name]]), confidence[K[name]]
    return rows


def laid_out(person: Person, count: int) -> np.ndarray:
    return in_layout(person, LAYOUTS[count], count)


def openpose(count: int) -> Callable[[Path, list[list[Person]]], Path]:
    def write(folder: Path, frames: list[list[Person]]) -> Path:
        target = folder / "json"
        target.mkdir()
        for number, people in enumerate(frames):
            stored = [{"person_id": [-1], "pose_keypoints_2d": laid_out(one, count).ravel().tolist()} for one in people]
            file = target / f"v2_{number:012d}_keypoints.json"
            file.write_text(json.dumps({"version": 1.3, "people": [*stored, {"pose_keypoints_2d": []}]}))
        return target

    return write


def coco(folder: Path, frames: list[list[Person]]) -> Path:
    people = [
        {"image_id": number, "category_id": 1, "keypoints": laid_out(one, 17).ravel().tolist(), "score": 0.8}
        for number, people in enumerate(frames)
        for one in people
    ]
    return written(folder / "results.json", people)


def alphapose(folder: Path, frames: list[list[Person]]) -> Path:
    people = [
        {"image_id": f"{n}.jpg", "category_id": 1, "keypoints": laid_out(one, 26).ravel().tolist(), "idx": [0.0]}
        for n, people in enumerate(frames)
        for one in people
    ]
    return written(folder / "alphapose-results.json", people)


def alphapose_cmu(folder: Path, frames: list[list[Person]]) -> Path:
    images = {
        f"{n}.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": laid_out(p, 18).ravel().tolist()} for p in ps]}
        for n, ps in enumerate(frames)
    }
    return written(folder / "alphapose-results.json", images)


def mmpose(folder: Path, frames: list[list[Person]]) -> Path:
    def instance(one: Person) -> dict:
        rows = laid_out(one, 133)
        box = [[rows[:, 0].min(), rows[:, 1].min(), rows[:, 0].max(), rows[:, 1].max()]]
        return {"keypoints": rows[:, :2].tolist(), "keypoint_scores": rows[:, 2].tolist(), "bbox": box}

    return written(
        folder / "video.json",
        [{"frame_id": n, "instances": [instance(one) for one in people]} for n, people in enumerate(frames)],
    )


def mmpose_demo(folder: Path, frames: list[list[Person]]) -> Path:
    """Counts frames from 1 and names its points."""
    names = LAYOUTS[17]
    info = [
        {
            "frame_id": number + 1,
            "instances": [
                {"keypoints": laid_out(one, 17)[:, :2].tolist(), "keypoint_scores": laid_out(one, 17)[:, 2].tolist()}
                for one in people
            ],
        }
        for number, people in enumerate(frames)
    ]
    places = {str(place): name for place, name in enumerate(names)}
    return written(folder / "results_v.json", {"meta_info": {"keypoint_id2name": places}, "instance_info": info})


def easy_vitpose(folder: Path, frames: list[list[Person]]) -> Path:
    names = (
        *LAYOUTS[17][:5], "neck", *LAYOUTS[17][5:13], "hip", *LAYOUTS[17][13:], *LAYOUTS[133][17:23],
    )  # fmt: skip
    keypoints = [
        {str(i): in_layout(one, names, 25)[:, [1, 0, 2]].tolist() for i, one in enumerate(people)} for people in frames
    ]
    return written(folder / "v.json", {"keypoints": keypoints, "skeleton": {str(i): n for i, n in enumerate(names)}})


def trc(folder: Path, frames: list[list[Person]]) -> Path:
    parts = {"big_toe": "BigToe", "small_toe": "SmallToe"}
    names = [name for name in BODY24 if name != "neck"]
    markers = []
    for name in names:
        side, _, part = name.rpartition("_") if "toe" not in name else name.partition("_")
        markers.append(f"{side[:1].upper()}{parts.get(part, part.capitalize())}")
    fps = 10
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tv_px_person00.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{fps}\t{fps}\t{len(frames)}\t{len(names)}\tm\t{fps}\t0\t{len(frames)}",
        "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t",
        "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(names) + 1)),
    ]
    for number, ((points, confidence),) in enumerate(frames):
        cells = [f"{points[K[n]][0]}\t{points[K[n]][1]}\t0.0" if confidence[K[n]] > 0 else "\t\t0.0" for n in names]
        lines.append(f"{number}\t{number / fps}\t" + "\t".join(cells))
    target = folder / "sports"
    target.mkdir()
    (target / "v_px_person00.trc").write_text("\n".join(lines))
    (target / "v_m_person00.trc").write_text("\n".join([*lines[:5], "0\t0.0" + "\t1.2\t0.8\t0.0" * len(names)]))
    return target


def written(path: Path, stored: object) -> Path:
    path.write_text(json.dumps(stored))
    return path


@pytest.fixture(scope="module")
def scene(scene_folder) -> tuple[Path, KeypointsArtifact]:
    return scene_folder / "video.mp4", KeypointsArtifact.load(scene_folder / "keypoints.npz")


def people_of(truth: KeypointsArtifact) -> list[list[Person]]:
    return [[(truth.keypoints[0, t], truth.confidence[0, t])] for t in range(len(truth.timestamps))]


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (openpose(25), WITH_FEET),
        (openpose(18), WITHOUT_FEET),
        (openpose(26), WITH_FEET),
        (coco, WITHOUT_FEET),
        (alphapose, WITH_FEET),
        (alphapose_cmu, WITHOUT_FEET),
        (mmpose, WITH_FEET),
        (mmpose_demo, WITHOUT_FEET),
        (easy_vitpose, WITH_FEET),
        (trc, WITH_FEET),
    ],
)
def test_each_format_gives_the_points_back(scene, tmp_path, write, names):
    video, truth = scene
    found = run_keypoints(video, KeypointOptions(str(write(tmp_path, people_of(truth)))))
    assert found.present.shape == truth.present.shape and found.present.all()
    np.testing.assert_array_equal(found.timestamps, truth.timestamps)
    there = [K[name] for name in BODY24 if name in names]
    seen = truth.confidence[0, :, there] > 0
    given = found.keypoints[0][:, there].swapaxes(0, 1)
    wanted = truth.keypoints[0][:, there].swapaxes(0, 1).copy()
    neck = there.index(K["neck"])
    wanted[neck] = truth.keypoints[0][:, [K["left_shoulder"], K["right_shoulder"]]].mean(1)
    np.testing.assert_allclose(given[seen], wanted[seen], atol=0.01)
    missing = [K[name] for name in BODY24 if name not in names]
    assert (found.confidence[0][:, missing] == 0).all() and np.isnan(found.keypoints[0][:, missing]).all()
    assert found.local_joints is None


def test_our_own_file_keeps_its_3d_points(scene, tmp_path):
    video, truth = scene
    truth.local_joints = np.random.default_rng(0).normal(size=(*truth.confidence.shape, 3)).astype(np.float32)
    truth.save(tmp_path / "keypoints.npz")
    found = run_keypoints(video, KeypointOptions(str(tmp_path / "keypoints.npz")))
    np.testing.assert_allclose(found.keypoints, truth.keypoints, atol=1e-3)
    np.testing.assert_allclose(found.local_joints, truth.local_joints)


def test_people_are_followed_whatever_their_order_in_the_file(tmp_path):
    """Two people in red and blue walk past one another; the file lists them in any order, one is lost for a while."""
    from test_keypoints_parts import standing

    random, size = np.random.default_rng(3), (640, 360)
    frames, truth = [], []
    with VideoWriter(tmp_path / "walk.mp4", *size, 15) as writer:
        for t in range(45):
            image = np.full((360, 640, 3), 128, np.uint8)
            people = [standing(80 + 10 * t, 60, 200), standing(560 - 10 * t, 100, 240)]
            for pose, colour in zip(people, ((200, 30, 30), (30, 30, 200)), strict=True):
                corners = (pose.points[[K["right_shoulder"], K["left_knee"]]]).astype(int).tolist()
                cv2.rectangle(image, *corners, colour, -1)
            writer.write(image)
            truth.append([pose.points for pose in people])
            seen = [pose for n, pose in enumerate(people) if not (n == 1 and 30 <= t < 34)]
            frames.append([(pose.points, np.full(24, 0.8)) for pose in random.permutation(np.array(seen, object))])
    found = run_keypoints(tmp_path / "walk.mp4", KeypointOptions(str(openpose(25)(tmp_path, frames)), person="all"))
    assert len(found.present) == 2
    truth = np.array(truth).swapaxes(0, 1)[::-1]
    for person in range(2):
        there = found.present[person]
        np.testing.assert_allclose(found.keypoints[person, there], truth[person, there], atol=0.01)
    assert found.present.sum(1).min() >= 39 and not found.present[0, 30:34].any()


def test_videos_that_are_decoded_smaller_keep_their_pixels(tmp_path):
    from test_keypoints_parts import standing

    pose = standing(1000, 300, 800)
    with VideoWriter(tmp_path / "large.mp4", 2200, 1240, 10) as writer:
        for _ in range(8):
            writer.write(np.zeros((1240, 2200, 3), np.uint8))
    file = coco(tmp_path, [[(pose.points, pose.confidence)]] * 8)
    found = run_keypoints(tmp_path / "large.mp4", KeypointOptions(str(file)))
    nose = found.keypoints[0, :, K["nose"]]
    np.testing.assert_allclose(nose, np.tile(pose.points[K["nose"]], (8, 1)), atol=0.01)


def test_annotations_tell_hidden_from_seen(scene, tmp_path):
    video, truth = scene
    rows = laid_out(people_of(truth)[0][0], 17)
    rows[:, 2] = 2
    rows[0, 2], rows[1, 2] = 1, 0
    stored = {
        "images": [{"id": 77, "file_name": "frame_000003.png"}],
        "annotations": [{"image_id": 77, "keypoints": rows.ravel().tolist()}],
    }
    kind, found = read_keypoints(written(tmp_path / "a.json", stored), probe(video))
    assert kind == "COCO" and list(found) == [3]
    confidence = found[3][0].confidence
    assert confidence[[K["nose"], K["left_eye"], K["right_eye"]]].tolist() == [0.5, 0, 1]


def test_values_that_are_no_numbers_are_unobserved():
    points = np.random.default_rng(0).uniform(0, 100, (17, 2))
    points[3] = np.nan
    confidence = np.linspace(0.1, 1.8, 17)
    confidence[5] = np.nan
    person = to_body24(points, confidence, LAYOUTS[17])
    assert person.confidence.max() == 1 and np.isfinite(person.confidence).all()
    for name in ("left_ear", "left_shoulder", "neck"):
        assert person.confidence[K[name]] == 0 and np.isnan(person.points[K[name]]).all()


@pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no shared fixtures at {FIXTURES}")
def test_real_alphapose_output(scene, tmp_path):
    (source,) = (FIXTURES / "alphapose_output").glob("*.json")
    first, _, _ = source.read_text().partition('    "images/bonn_mpii_test_5sec/24621_mpii/00000104.jpg"')
    (tmp_path / "sample.json").write_text(first.rstrip().rstrip(",") + "}")
    info = replace(probe(scene[0]), width=1280, height=1080, frame_count=110)
    kind, found = read_keypoints(tmp_path / "sample.json", info)
    assert kind == "AlphaPose" and list(found) == [103] and len(found[103]) == 3
    for person in found[103]:
        assert person.points[K["neck"]][1] < person.points[K["right_hip"]][1], "shoulders above hips"
        assert np.isnan(person.points[K["nose"]]).all(), "MPII has no nose"
        assert person.confidence.max() <= 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "no file of keypoints"),
        ("[]", "no file of keypoints"),
        ("{not json", "not a JSON file"),
        ("hello", "no file of keypoints"),
        ('[{"image_id": 0, "keypoints": [1, 2, 0.5]}]', "people with 1 points"),
        ('[{"image_id": 0, "keypoints": "abc"}]', "not numbers in threes"),
        ('[{"image_id": "walk.jpg", "keypoints": []}]', "no frame number"),
        ('{"people": []}', "a single frame of OpenPose"),
        ('[{"frame_id": 0, "instances": []}]', "nobody in any frame"),
        ('[{"frame_id": 0, "instances": [{"keypoints": [[1, 2]]}]}]', "no points with scores"),
        ('{"keypoints": [{"0": [[1, 2]]}], "skeleton": {"0": "nose"}}', "not as easy_ViTPose writes it"),
    ],
)
def test_bad_files_are_named(scene, tmp_path, content, message):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(AnyliftError, match=message) as caught:
        read_keypoints(tmp_path / "bad.json", probe(scene[0]))
    assert "bad.json" in caught.value.message


def test_keypoints_of_another_video_are_refused(scene, tmp_path):
    video, truth = scene
    frames = people_of(truth)
    with pytest.raises(UsageError, match="has frame"):
        read_keypoints(coco(tmp_path, [*frames, *frames]), probe(video))
    large = [[(points * 8, confidence)] for ((points, confidence),) in frames]
    with pytest.raises(UsageError, match="lie outside"):
        read_keypoints(coco(tmp_path, large), probe(video))
    with pytest.raises(AnyliftError, match="metres or 3D"):
        read_keypoints(trc(tmp_path, frames) / "v_m_person00.trc", probe(video))


def test_nobody_whole_is_nobody(scene, tmp_path):
    video, truth = scene
    faces = [[(points, np.where(np.arange(24) < 2, confidence, 0))] for ((points, confidence),) in people_of(truth)]
    with pytest.raises(NothingFoundError):
        run_keypoints(video, KeypointOptions(str(openpose(25)(tmp_path, faces))))


def test_a_changed_file_is_read_again(scene, tmp_path):
    video, truth = scene
    file = coco(tmp_path, people_of(truth))
    stage = keypoints_stage(KeypointOptions(str(file)))
    made, outcome = run_stage(stage, {"video": Source.from_file(video)}, tmp_path / "k.npz")
    assert made.meta["estimator"] == "COCO (results.json)" and not outcome.reused
    assert run_stage(stage, {"video": Source.from_file(video)}, tmp_path / "k.npz")[1].reused
    file.write_text(file.read_text().replace("0.8", "0.7"))
    stage = keypoints_stage(KeypointOptions(str(file)))
    outcome = run_stage(stage, {"video": Source.from_file(video)}, tmp_path / "k.npz")[1]
    assert not outcome.reused and outcome.why.startswith("backend changed: file ")


def test_run_takes_keypoints_and_cameras_of_others(anylift, scene, tmp_path):
    video, truth = scene
    cameras = CamerasArtifact.load(video.with_name("cameras.npz"))
    coco(tmp_path, people_of(truth))
    pose = cameras.world_from_camera
    turn = Rotation.from_matrix(pose[:, :3, :3]).as_quat()
    np.savetxt(tmp_path / "tum.txt", np.column_stack([truth.timestamps, pose[:, :3, 3], turn]))
    files = ("--keypoints", "results.json", "--cameras", "tum.txt", "--focal", cameras.K[0, 0, 0])
    done = anylift("run", video, *files, "--quiet")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "motion.npz").exists() and (tmp_path / "motion.bvh").exists()
    made = CamerasArtifact.load(tmp_path / "motion.anylift/cameras.npz")
    assert made.meta["reason"] == "TUM (tum.txt)"
    np.testing.assert_allclose(made.K[0], cameras.K[0], rtol=1e-6)
