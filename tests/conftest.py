from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from anylift_cli.artifacts import CamerasArtifact
from anylift_cli.body.model import BodyModel

signal.signal(signal.SIGINT, signal.default_int_handler)
"""Shells ignore Ctrl-C for what they start in the background, and so would every process that the tests start."""


@pytest.fixture
def anylift(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line as its own process in `tmp_path`."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "anylift_cli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds 256 KiB."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small file system can only be mounted by root, with `mount` at hand")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def cameras() -> CamerasArtifact:
    """Seven frames of a camera at rest."""
    return CamerasArtifact(
        world_from_camera=np.tile(np.eye(4), (7, 1, 1)),
        K=np.tile(np.diag([900.0, 900.0, 1.0]), (7, 1, 1)),
        confidence=np.linspace(0, 1, 7),
        up=[0, -1, 0],
        timestamps=np.arange(7) / 30,
        image_size=[1280, 720],
        meta={"motion": "still", "scale": "metric", "reason": "größer als nötig"},
    )


@pytest.fixture(scope="session")
def body() -> BodyModel:
    """The open body."""
    return BodyModel.load("open")


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory) -> Path:
    """Half a second of a synthetic scene with its exact artifacts."""
    from anylift_cli.synthetic.scene import SceneSpec, build_scene
    from anylift_cli.synthetic.writing import write_scene

    folder = tmp_path_factory.mktemp("scene")
    scene = build_scene(SceneSpec("squat_still", "squat", "still", seconds=0.5, fps=10, width=320, height=180, seed=1))
    write_scene(scene, folder)
    return folder
