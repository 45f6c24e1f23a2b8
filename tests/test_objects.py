"""The objects stage: prompts, trackers, what cannot be done."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from object_scenes import IMAGE, SIZE, BoxScene, artifacts_of, box_mesh, box_scene, clicks, film_box, pose_errors

from anylift_cli.artifacts import ObjectsArtifact
from anylift_cli.errors import AnyliftError, NothingFoundError, UsageError
from anylift_cli.geometry.cameras import project_camera, transform
from anylift_cli.objects.base import ObjectFiles, ObjectOptions, Prompts
from anylift_cli.objects.mask_pose import pose_from_mask
from anylift_cli.objects.stage import object_names, read_targets, run_objects
from anylift_cli.rendering.silhouette import silhouette


@pytest.fixture(scope="module")
def scene() -> BoxScene:
    return box_scene(40)


@pytest.fixture(scope="module")
def filmed(scene, tmp_path_factory) -> Path:
    """A folder with the video, hidden for eight frames, and the mesh."""
    folder = tmp_path_factory.mktemp("box")
    film_box(scene, folder / "video.mp4", hidden=slice(16, 24))
    box_mesh().export(folder / "box.obj")
    return folder


@pytest.fixture(scope="module")
def followed(scene, filmed) -> ObjectsArtifact:
    (filmed / "points.json").write_text(json.dumps({"box": clicks(scene, noise=0.5)}))
    prompts = Prompts((ObjectFiles(filmed / "box.obj"),), filmed / "points.json")
    return run_objects(filmed / "video.mp4", *artifacts_of(scene), prompts, ObjectOptions())


def test_a_box_is_followed_and_found_again(scene, followed):
    found = np.isfinite(followed.camera_from_object[0]).all((1, 2))
    assert found[:16].all() and not found[16:24].any() and found[27:].all()
    assert (followed.confidence[0, :16] > 0.7).all() and (followed.confidence[0, ~found] == 0).all()
    place, turn = pose_errors(followed.camera_from_object[0][found], scene.camera_from_object[found])
    assert np.median(place) < 0.015 and place.max() < 0.04
    assert np.median(turn) < 2 and turn.max() < 5


def test_its_corners_do_not_slip(tmp_path):
    """At 10 frames a second the box turns by degrees from frame to frame; 1.5 s later it is no farther off."""
    scene = box_scene(16, fps=10)
    box_mesh().export(tmp_path / "box.obj")
    (tmp_path / "points.json").write_text(json.dumps({"box": clicks(scene)}))
    prompts = Prompts((ObjectFiles(tmp_path / "box.obj"),), tmp_path / "points.json")
    found = run_objects(film_box(scene, tmp_path / "video.mp4"), *artifacts_of(scene), prompts, ObjectOptions())
    place, turn = pose_errors(found.camera_from_object[0], scene.camera_from_object)
    assert place.max() < 0.010 and turn.max() < 1.0
    corners = np.array(box_mesh().vertices)
    seen, true = (
        project_camera(transform(poses, corners), scene.K)
        for poses in (found.camera_from_object[0], scene.camera_from_object)
    )
    assert np.linalg.norm(seen - true, axis=-1).mean(1).max() < 0.7


def test_its_points_are_where_the_mesh_is(scene, followed):
    seen = followed.visible[0]
    assert seen[:16].sum(1).min() > 20 and not seen[16:24].any()
    frames, points = np.nonzero(seen)
    camera = transform(scene.camera_from_object, followed.points3d[0].astype(float))
    pixels = project_camera(camera, scene.K)[frames, points]
    miss = np.linalg.norm(pixels - followed.points2d[0][frames, points], axis=-1)
    assert np.median(miss) < 1.5 and np.quantile(miss, 0.98) < 4
    on_sides = np.abs(np.abs(followed.points3d[0] - [0, 0, SIZE[2] / 2]) - np.array(SIZE) / 2).min(1)
    assert on_sides.max() < 1e-5


def test_the_file_says_what_it_holds(followed, tmp_path):
    again = ObjectsArtifact.load(followed.save(tmp_path / "objects.npz"))
    vertices, faces = again.mesh(0)
    assert len(vertices) == 8 and len(faces) == 12 and len(again.symmetries_of(0)) == 4
    assert again.names.tolist() == ["box"] and again.meta["found"]["box"] > 30
    with pytest.raises(AnyliftError, match="vertex_count"):
        replace(again, vertex_count=[7])
    with pytest.raises(AnyliftError, match="faces of 'box'"):
        replace(again, faces=again.faces + 1)


def test_a_later_click_is_enough(scene, filmed, tmp_path):
    """The object is clicked after it was hidden; what came before is found by what it looks like."""
    (tmp_path / "points.json").write_text(json.dumps({"box": [clicks(scene, row=26)]}))
    prompts = Prompts((ObjectFiles(filmed / "box.obj"),), tmp_path / "points.json")
    found = run_objects(filmed / "video.mp4", *artifacts_of(scene), prompts, ObjectOptions())
    known = np.isfinite(found.camera_from_object[0]).all((1, 2))
    assert known[26:].all() and known[:16].sum() > 12
    assert pose_errors(found.camera_from_object[0][known], scene.camera_from_object[known])[0].max() < 0.04


def test_two_objects_at_once(scene, filmed, tmp_path):
    """The same box twice under two names, one of them much finer, open at the top and in centimetres."""
    fine = box_mesh().subdivide().subdivide().subdivide().subdivide().subdivide().subdivide()
    fine.update_faces(fine.triangles_center[:, 2] > 1e-3)
    fine.apply_scale(100)
    fine.export(tmp_path / "fine.ply")
    assert len(fine.faces) > 40_000 and not fine.is_watertight
    pose = scene.camera_from_object[0].tolist()
    (tmp_path / "points.json").write_text(json.dumps({
        "box": clicks(scene), "fine": {"camera_from_object": pose},
    }))  # fmt: skip
    files = ObjectFiles(filmed / "box.obj"), ObjectFiles(tmp_path / "fine.ply", max(SIZE))
    keypoints, cameras = artifacts_of(scene)
    short = {"timestamps": scene.times[:8], "confidence": np.ones(8)}
    cameras = replace(cameras, world_from_camera=cameras.world_from_camera[:8], K=cameras.K[:8], **short)
    keypoints = replace(
        keypoints, keypoints=keypoints.keypoints[:, :8], confidence=keypoints.confidence[:, :8],
        boxes=keypoints.boxes[:, :8], present=keypoints.present[:, :8], timestamps=scene.times[:8],
        frame_index=np.arange(8),
    )  # fmt: skip
    found = run_objects(filmed / "video.mp4", keypoints, cameras, Prompts(files, tmp_path / "points.json"),
                        ObjectOptions())  # fmt: skip
    assert found.names.tolist() == ["box", "fine"] and found.meta["units"]["fine"] == pytest.approx(0.01)
    for number in range(2):
        assert pose_errors(found.camera_from_object[number], scene.camera_from_object[:8])[0].max() < 0.02


@pytest.mark.parametrize("width", [2, 3])
def test_delta_tracks_become_points(scene, filmed, tmp_path, width):
    """A grid of the first frame as DELTA writes it: on the box it moves along, elsewhere it stays."""
    rows, columns = np.mgrid[2 : IMAGE[1] : 4, 2 : IMAGE[0] : 4]
    grid = np.stack([columns.ravel(), rows.ravel()], -1).astype(float)
    from anylift_cli.meshes.surface import cast

    mesh = box_mesh()
    points, face = cast(np.array(mesh.vertices), np.array(mesh.faces), scene.camera_from_object[0], scene.K[0], grid)
    pixels = np.tile(grid, (40, 1, 1))
    camera = transform(scene.camera_from_object, np.nan_to_num(points))
    pixels[:, face >= 0] = project_camera(camera, scene.K)[:, face >= 0]
    visible = np.ones(pixels.shape[:2], bool)
    visible[16:24] = False
    pixels = pixels - 0.5
    coords = pixels
    if width == 3:
        depth = np.linspace(1, 3, len(grid))[None].repeat(40, 0)
        coords = np.concatenate([(pixels - [IMAGE[0] // 2, IMAGE[1] // 2]) / IMAGE[0] * depth[..., None],
                                 depth[..., None]], -1)  # fmt: skip
    with open(tmp_path / "track.pkl", "wb") as stream:
        pickle.dump({"coords": coords.astype(np.float32), "vis": visible}, stream)
    (tmp_path / "points.json").write_text(json.dumps({"box": clicks(scene)}))
    prompts = Prompts((ObjectFiles(filmed / "box.obj"),), tmp_path / "points.json", tmp_path / "track.pkl")
    found = run_objects(filmed / "video.mp4", *artifacts_of(scene), prompts, ObjectOptions("delta"))
    known = np.isfinite(found.camera_from_object[0]).all((1, 2))
    assert known.tolist() == [not 16 <= row < 24 for row in range(40)]
    place, turn = pose_errors(found.camera_from_object[0][known], scene.camera_from_object[known])
    assert place.max() < 2e-3 and turn.max() < 0.2


def test_foreign_track_files(scene, filmed, tmp_path):
    (tmp_path / "points.json").write_text(json.dumps({"box": clicks(scene)}))

    def run(stored: object, tracker: str = "delta") -> None:
        with open(tmp_path / "track.pkl", "wb") as stream:
            pickle.dump(stored, stream)
        prompts = Prompts((ObjectFiles(filmed / "box.obj"),), tmp_path / "points.json", tmp_path / "track.pkl")
        run_objects(filmed / "video.mp4", *artifacts_of(scene), prompts, ObjectOptions(tracker))

    with pytest.raises(AnyliftError, match="not a track file of DELTA"):
        run({"coords": np.zeros((40, 5, 2))})
    with pytest.raises(AnyliftError, match="covers 12 frames"):
        run({"coords": np.zeros((12, 5, 2)), "vis": np.ones((12, 5), bool)})
    with pytest.raises(UsageError, match="0 tracks are on 'box'"):
        run({"coords": np.zeros((40, 5, 2)), "vis": np.ones((40, 5), bool)})
    with pytest.raises(AnyliftError, match="could run code"):
        run(Path("anything"))
    with pytest.raises(UsageError, match=r"does not read .*track\.pkl") as error:
        run({}, "lucas-kanade")
    assert "--object-tracker delta" in error.value.hint


def test_a_mask_places_an_object(scene):
    mesh = box_mesh()
    vertices, faces = np.array(mesh.vertices), np.array(mesh.faces)
    mask = silhouette(vertices, faces, scene.camera_from_object[0], scene.K[0], IMAGE) > 0
    pose, overlap = pose_from_mask(mask, vertices, faces, scene.K[0])
    assert overlap > 0.93
    again = silhouette(vertices, faces, pose, scene.K[0], IMAGE) > 0
    assert (again & mask).sum() / (again | mask).sum() > 0.9
    place, _ = pose_errors(pose[None], scene.camera_from_object[:1])
    assert place[0] < 0.12


def test_masks_that_say_nothing(scene, filmed, tmp_path):
    def run(image: np.ndarray) -> None:
        cv2.imwrite(str(tmp_path / "mask.png"), image)
        prompts = Prompts((ObjectFiles(filmed / "box.obj", mask=tmp_path / "mask.png"),))
        read_targets(prompts, scene.K, np.arange(40))

    with pytest.raises(UsageError, match="marks 0 pixels"):
        run(np.zeros(IMAGE[::-1], np.uint8))
    with pytest.raises(UsageError, match="has 30x20 pixels"):
        run(np.full((20, 30), 255, np.uint8))
    cross = np.zeros(IMAGE[::-1], np.uint8)
    cross[100:260, 300:310] = cross[175:185, 200:400] = 255
    with pytest.raises(UsageError, match="no pose of the mesh fills the mask"):
        run(cross)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"frame": 77, "points": [], "pixels": []}, "from frame 0 to 39"),
        ({"points": [[0, 0, 0]] * 3, "pixels": [[1, 1]] * 3}, "too few"),
        ({"points": [[0, 0, 0]] * 6, "pixels": [[1, 1]] * 5}, "6 points and 5 pixels"),
        ({"points": [[0, 0]] * 6, "pixels": [[1, 1]] * 6}, "rows of 3 numbers"),
        ({"points": "many", "pixels": [[1, 1]]}, "'points' is missing or not"),
        ({"camera_from_object": np.diag([2.0, 2, 2, 1]).tolist()}, "no rigid pose"),
    ],
)
def test_clicks_that_cannot_be(scene, filmed, tmp_path, entry, words):
    (tmp_path / "points.json").write_text(json.dumps({"box": entry}))
    with pytest.raises(UsageError, match=words):
        read_targets(Prompts((ObjectFiles(filmed / "box.obj"),), tmp_path / "points.json"), scene.K, np.arange(40))


def test_clicks_of_another_shape(scene, filmed, tmp_path):
    entry = clicks(scene)
    entry["pixels"] = np.random.default_rng(0).permutation(entry["pixels"]).tolist()
    (tmp_path / "points.json").write_text(json.dumps({"box": entry}))
    with pytest.raises(UsageError, match="no pose of the mesh explains"):
        read_targets(Prompts((ObjectFiles(filmed / "box.obj"),), tmp_path / "points.json"), scene.K, np.arange(40))


def test_prompts_and_names_must_match(scene, filmed, tmp_path):
    with pytest.raises(UsageError, match="nobody said where 'box' is"):
        read_targets(Prompts((ObjectFiles(filmed / "box.obj"),)), scene.K, np.arange(40))
    (tmp_path / "points.json").write_text(json.dumps({"chair": clicks(scene)}))
    with pytest.raises(UsageError, match="'chair', which is none of the objects"):
        read_targets(Prompts((ObjectFiles(filmed / "box.obj"),), tmp_path / "points.json"), scene.K, np.arange(40))
    for text in ("[]", "{", '{"box": 3}'):
        (tmp_path / "points.json").write_text(text)
        with pytest.raises(AnyliftError, match=r"points\.json"):
            read_targets(Prompts((ObjectFiles(filmed / "box.obj"),), tmp_path / "points.json"), scene.K, np.arange(40))
    twice = Prompts((ObjectFiles(Path("a/box.obj")), ObjectFiles(Path("b/box.glb"))))
    assert object_names(twice) == ["box", "box-2"]


def test_an_object_without_texture_is_not_followed_by_chance(scene, tmp_path):
    """A grey ball on grey: its place in the first frame is known, and no more."""
    trimesh.creation.icosphere(radius=0.1).export(tmp_path / "ball.obj")
    from anylift_cli.video import VideoWriter

    with VideoWriter(tmp_path / "grey.mp4", *IMAGE, 30.0) as video:
        for _ in range(40):
            video.write(np.full((*IMAGE[::-1], 3), 120, np.uint8))
    pose = scene.camera_from_object[0].tolist()
    (tmp_path / "points.json").write_text(json.dumps({"ball": {"camera_from_object": pose}}))
    prompts = Prompts((ObjectFiles(tmp_path / "ball.obj"),), tmp_path / "points.json")
    with pytest.raises(NothingFoundError, match="'ball' cannot be followed"):
        run_objects(tmp_path / "grey.mp4", *artifacts_of(scene), prompts, ObjectOptions())
