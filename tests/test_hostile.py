"""Files of strangers: whatever is in them, a reader gives their content or an AnyliftError that names the file."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import files
from hostile.parsers import PARSERS, Cases, Parser
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from anylift_cli.artifacts.base import read_npz
from anylift_cli.cameras.imports.read import read_path
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.read import read_motion
from anylift_cli.foreign.unpickle import load_npz_member, load_pickle
from anylift_cli.video import probe, read_frames
from anylift_cli.weights_store.fetching import import_file

UNREAD = {"chain.bvh", "delta.pkl", "wham.pkl", "wham_zlib.pkl", "glamr.pkl", "SMPL_MALE.npz", "SMPL_FEMALE.pkl"}
"""Whole, but not what one of the reader's steps wants."""


@pytest.fixture(scope="module", params=PARSERS.values(), ids=lambda parser: parser.name)
def cases(request) -> Cases:
    return Cases(request.param)


def test_whole_files_are_read(cases, tmp_path):
    for number in range(-len(cases.whole), 0):
        path = cases.write(number, tmp_path / str(~number))
        try:
            cases.parser.read(path)
        except AnyliftError as error:
            assert path.name in UNREAD, error.message


def test_damaged_files_are_read_or_refused(cases, tmp_path_factory):
    @settings(max_examples=12, deadline=None, database=None)
    @given(st.integers(0, 2**32))
    def check(number: int) -> None:
        path = cases.write(number, tmp_path_factory.mktemp("damaged"))
        try:
            cases.parser.read(path)
        except AnyliftError as error:
            assert error.message

    check()


def test_shares_of_cases_add_up():
    assert sum(parser.share for parser in PARSERS.values()) == 100


def parser(word: str) -> Parser:
    return next(parser for name, parser in PARSERS.items() if word in name)


DEEP, LONG = "[" * 200_000, "9" * 5000
COCO = {"image_id": 1, "keypoints": [1.0] * 51}


@pytest.mark.parametrize(
    ("word", "name", "content"),
    [
        ("keypoints", "deep.json", DEEP),
        ("keypoints", "number.json", f"[{LONG}]"),
        ("keypoints", "name.json", json.dumps({f"{LONG}.jpg": {"bodies": [{"joints": [1.0] * 54}]}})),
        ("keypoints", "images.json", json.dumps({"images": [{"name": 1}], "annotations": [COCO]})),
        ("keypoints", "image.json", json.dumps({"images": [3], "annotations": [COCO]})),
        ("keypoints", "of.json", json.dumps({"images": [], "annotations": [{**COCO, "image_id": {}}]})),
        ("keypoints", "people.json", json.dumps([{"frame_id": 1, "instances": None}])),
        ("keypoints", "points.json", json.dumps({"meta_info": {"keypoint_id2name": {"a": "nose"}}, "instance_info": [
            {"frame_id": 1, "instances": []}]})),
        ("keypoints", "names.json", json.dumps({"meta_info": {"keypoint_id2name": {"0": "neck", "1": "nose"}},
            "instance_info": [{"frame_id": 1, "instances": [{"keypoints": [[1, 2]], "keypoint_scores": [1]}]}]})),
        ("keypoints", "times.trc", "PathFileType\n\n10\t10\n#\tTime\tNose\t\t\n\n1\tnan\t50\t60\t0\n"),
        ("keypoints", "rate.trc", "PathFileType\n\ninf\t10\n#\tTime\tNose\t\t\n\n1\t0\t50\t60\t0\n"),
        ("BVH", "count.bvh", "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Xposition\n}\nMOTION\n"
            f"Frames: {LONG[:400]}\nFrame Time: 0.1\n0\n"),
        ("clip lists", "deep.jsonl", DEEP),
        ("clip lists", "half.jsonl", json.dumps({"video": "\ud800.mp4"})),
        ("clip lists", "nowhere.jsonl", json.dumps({"video": "a.mp4", "name": "a\0"})),
        ("clip lists", "long.csv", f"video\n{'a' * 200_000}\n"),
        ("meshes", "none.ply", "ply\nelement vertex 1\nend_header\n"),
        ("points", "points.json", DEEP),
        ("points", "points.json", '{"box": {"frame": [0, 1, 2]}}'),
        ("points", "points.json", '{"box": {"frame": "0"}}'),
        ("points", "points.json", f'{{"box": {{"frame": {LONG}}}}}'),
        ("meshes", "index.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n"),
        ("meshes", "index.ply", "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
         "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
         "0 0 0\n1 0 0\n0 1 0\n3 0 1 -2147483648\n"),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_what_once_crashed_is_refused(tmp_path, word, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(AnyliftError) as caught:
        parser(word).read(tmp_path / name)
    assert name in caught.value.message


@pytest.mark.parametrize("content", [b'a = "\xb9"', b"a = " + b"[" * 20_000, b"[[weights]]\nfile = 3"])
def test_manifests_that_are_no_toml(tmp_path, content):
    (tmp_path / "manifest.toml").write_bytes(content)
    with pytest.raises(AnyliftError, match=r"manifest\.toml"):
        parser("manifest").read(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"clip_start": np.zeros((2, 3), int)},
        {"clip_start": np.array(0)},
        {"clip_start": np.array([2**62, 0]), "clip_len": np.array([2**62, 3])},
        {"clip_len": np.array([0.5, 3])},
        {"joint_names": np.array("a")},
        {"local_quat_wxyz": np.array(1.0)},
        {"fps": np.zeros((0, 3))},
        {"fps": np.array([30.0, 30.0])},
        {"floor_z": np.array(["a", "b"])},
        {"clip_name": np.full(2, 2**31, np.uint32).view("<U1")},
        {"clip_name": np.zeros((2**40, 0))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_motion_capture_with_odd_tables(tmp_path, changes):
    arrays = read_npz(files.mocap(tmp_path))
    np.savez(tmp_path / "mocap.npz", **{**arrays, **changes})
    for read in (parser("motion capture").read, read_motion):
        with pytest.raises(AnyliftError, match=r"mocap\.npz"):
            read(tmp_path / "mocap.npz")


def test_cameras_that_are_mirrors(tmp_path):
    poses = files.POSES.copy()
    poses[1, :3, 0] *= -1
    replace(files.cameras(), world_from_camera=poses).save(tmp_path / "cameras.npz")
    with pytest.raises(AnyliftError, match=r"cameras\.npz: pose 1 is not a rotation"):
        read_path(tmp_path / "cameras.npz", probe(files.video(tmp_path)))


def test_networks_of_more_layers_than_weights(tmp_path):
    for path in files.checkpoints(tmp_path):
        with safe_open(path, framework="pt") as stored:
            manifest = json.loads(stored.metadata()["manifest"])
        manifest["network"]["layers"] = 2**31
        save_file({"a": torch.zeros(1)}, path, {"manifest": json.dumps(manifest)})
        with pytest.raises(AnyliftError, match=path.name):
            parser("checkpoints").read(path)


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin"])
@pytest.mark.parametrize("count", [7, 2**40, 2**64 - 1])
def test_colmap_models_that_announce_more_than_they_hold(tmp_path, file, count):
    """pycolmap's own reader never ends on such a file."""
    model = files.colmap_models(tmp_path)[1]
    content = (model / file).read_bytes()
    (model / file).write_bytes(struct.pack("<Q", count) + content[8:])
    with pytest.raises(AnyliftError, match="cannot be read as a COLMAP model"):
        read_colmap(model)


def test_colmap_image_with_more_points_than_bytes(tmp_path):
    model = files.colmap_models(tmp_path)[1]
    content = (model / "images.bin").read_bytes()
    place = content.index(b"frame_00000.jpg\0") + 16
    (model / "images.bin").write_bytes(content[:place] + struct.pack("<Q", 2**60) + content[place + 8 :])
    with pytest.raises(AnyliftError, match="ends too early"):
        read_colmap(model)


def read_colmap(model: Path) -> None:
    from anylift_cli.cameras.imports.colmap import read_colmap

    read_colmap(model, probe(files.video(model.parent)))


def write_bomb(path: Path, name: str, start: bytes = b"") -> None:
    """A zip archive of a few hundred kilobytes with one member of 300 MiB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
        archive.open(name, "w", force_zip64=True) as member,
    ):
        member.write(start)
        for _ in range(300):
            member.write(bytes(1 << 20))


@pytest.mark.parametrize("read", [read_npz, lambda path: load_npz_member(path, "up")])
def test_a_small_file_that_unpacks_to_a_large_one(tmp_path, read):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 27,)})
    write_bomb(tmp_path / "bomb.npz", "up.npy", header.getvalue())
    with pytest.raises(AnyliftError, match=r"(more|larger) than 256 MiB"):
        read(tmp_path / "bomb.npz")


def test_a_compressed_pickle_that_unpacks_to_a_large_one(tmp_path):
    machine = zlib.compressobj(6)
    parts = [machine.compress(bytes(1 << 20)) for _ in range(300)]
    (tmp_path / "bomb.pkl").write_bytes(b"".join(parts) + machine.flush())
    with pytest.raises(AnyliftError, match="unpacks to more than 256 MiB"):
        load_pickle(tmp_path / "bomb.pkl")


def test_a_pickle_that_announces_more_than_it_holds(tmp_path):
    (tmp_path / "announced.pkl").write_bytes(b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc.")
    tracemalloc.start()
    with pytest.raises(AnyliftError, match="announced"):
        load_pickle(tmp_path / "announced.pkl")
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


def test_archives_lead_nowhere_else(tmp_path, store):
    (tmp_path / "a/b").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "a/b/SMPL.zip", "w") as archive:
        for name in ("../../SMPL_NEUTRAL.pkl", "/tmp/SMPL_MALE.pkl", "C:\\SMPL_FEMALE.pkl"):
            archive.writestr(name, b"x")
    before = set(tmp_path.rglob("*"))
    placed = import_file(tmp_path / "a/b/SMPL.zip")
    assert placed and all(store in path.parents for path in placed)
    assert all(store in path.parents or path == store for path in set(tmp_path.rglob("*")) - before)


def test_archives_that_are_bombs_or_damaged_leave_nothing(tmp_path, store):
    write_bomb(tmp_path / "SMPL.zip", "SMPL_NEUTRAL.pkl")
    with pytest.raises(AnyliftError, match="unpacks to 300 MiB"):
        import_file(tmp_path / "SMPL.zip")
    with zipfile.ZipFile(tmp_path / "SMPL.zip", "w") as archive:
        archive.writestr("SMPL_NEUTRAL.pkl", b"x" * 1000)
    content = bytearray((tmp_path / "SMPL.zip").read_bytes())
    for place in (content.index(b"PK\x01\x02"), content.index(b"xxxx")):
        damaged = bytes(content[:place]) + b"?" + bytes(content[place + 1 :])
        (tmp_path / "SMPL.zip").write_bytes(damaged)
        with pytest.raises(AnyliftError, match=r"SMPL\.zip"):
            import_file(tmp_path / "SMPL.zip")
    assert not [path for path in store.rglob("*") if path.is_file()]


SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n"


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nconcat:{other}|file:///etc/passwd\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n", "ffconcat version 1.0\nfile 'subfile,,start,0,end,99,,:/etc/passwd'\n",
        SDP, "[InternetShortcut]\nURL=file:///etc/passwd\n",
        "<?xml version='1.0'?><MPD><BaseURL>{other}</BaseURL></MPD>",
        "[playlist]\nFile1={other}\n", "RIFF....", "# txt of image2\n/etc/passwd\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["clip.mp4", "clip.m3u8", "clip.avi", "%03d.png", "pipe:0"])
def test_videos_that_name_other_files_are_refused(tmp_path, content, name):
    other = files.video(tmp_path, "other.mp4")
    (tmp_path / name).write_text(content.format(other=other))
    with pytest.raises(AnyliftError, match=r"not a video that can be read|no moving pictures|not one frame"):
        list(read_frames(tmp_path / name))


def test_pictures_that_claim_to_be_huge(tmp_path):
    picture = bytearray(files.video(tmp_path, "a.gif", "gif").read_bytes())
    picture[6:10] = struct.pack("<HH", 16000, 16000)
    (tmp_path / "a.gif").write_bytes(picture)
    with pytest.raises(AnyliftError, match="16000x16000"):
        probe(tmp_path / "a.gif")
