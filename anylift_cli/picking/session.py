"""What someone is clicking: the video, the meshes, the points so far, and the points file they go to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.artifacts.files import atomic_path, sha256_of
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.intrinsics import focal_prior
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.cameras import intrinsics_matrix, project_camera, transform
from anylift_cli.meshes.balls import Ball, ball_of, outline
from anylift_cli.meshes.reading import Mesh, read_object
from anylift_cli.objects.base import Prompts
from anylift_cli.objects.clicks import pose_of_clicks, pose_of_outline
from anylift_cli.objects.prompts import read_points
from anylift_cli.objects.stage import object_names
from anylift_cli.rendering.silhouette import silhouette
from anylift_cli.video import probe, read_frames_at

WANTED, WANTED_OF_BALL = 6, 4
"""Clicks in one frame from which a pose is shown and saved."""
_QUALITY = 92
_OUTLINE_OFF = 0.7
"""px by which the drawn outline may be simplified."""


class FileExistsAlready(AnyliftError):
    """The points file is there, and nobody said that it may be replaced."""


@dataclass(frozen=True)
class Pickable:
    """An object to be clicked: its name, its mesh, and the ball that it is, if it is one."""

    name: str
    mesh: Mesh
    ball: Ball | None

    @property
    def wanted(self) -> int:
        """Clicks from which a pose is shown and saved."""
        return WANTED if self.ball is None else WANTED_OF_BALL

    def clickable(self, entry: dict[str, Any]) -> bool:
        """Whether an entry of a points file is such as the page makes: pairs, or the outline of a ball."""
        return "pixels" in entry and ("points" in entry) == (self.ball is None)


@dataclass(frozen=True)
class Lens:
    """Frames that can be clicked, `first` to `last`, and what is known of the camera in them.

    Attributes:
        of: gives K (3, 3) px of a frame.
        source: where the focal length comes from, in words.
    """

    first: int
    last: int
    of: Callable[[int], np.ndarray]
    source: str


def lens_of(video: Path, keypoints: KeypointsArtifact | None, cameras: CamerasArtifact | None) -> Lens:
    """The solved cameras over the frames of a clip; else a guess of the focal length over the whole video.

    Raises:
        AnyliftError: not a video, or keypoints and cameras of different frames.
    """
    if keypoints is None or cameras is None:
        info = probe(video)
        prior = focal_prior(video, (info.width, info.height), CameraOptions())
        K = intrinsics_matrix(prior.focal, info.width, info.height)
        words = "from the video's own data" if prior.known else "not known yet: the image diagonal is taken"
        return Lens(0, info.frame_count - 1, lambda _: K, words)
    frames = keypoints.frame_index
    if len(frames) != len(cameras.K):
        raise AnyliftError(
            f"the keypoints cover {len(frames)} frames, the cameras {len(cameras.K)}",
            "run `anylift cameras` on these keypoints",
        )
    first, last = int(frames[0]), int(frames[-1])
    return Lens(first, last, lambda frame: cameras.K[np.abs(frames - frame).argmin()], "of the solved camera")


class PickSession:
    """The state of a clicking page on the side of the files.

    Attributes:
        objects: what can be clicked, by name.
        entries: {name: [{"frame", "pixels", "points"}, …]} that the points file held at the start.
    """

    def __init__(self, video: Path, prompts: Prompts, lens: Lens, out: Path) -> None:
        """Read the meshes, and the points file `out` if it exists.

        Raises:
            UsageError, AnyliftError: see `read_object` and `read_points`.
        """
        self.video, self.lens, self.out = video, lens, out
        self.objects: dict[str, Pickable] = {}
        for name, files in zip(object_names(prompts), prompts.objects, strict=True):
            mesh = read_object(files.mesh, files.size)
            self.objects[name] = Pickable(name, mesh, ball_of(mesh.vertices, mesh.faces))
        self._stored = read_points(out) if out.exists() else {}
        self.entries = {
            name: [{"frame": self.lens.first, **entry} for entry in self._stored.get(name, []) if one.clickable(entry)]
            for name, one in self.objects.items()
        }
        self._written = ""

    def picture(self, frame: int) -> bytes:
        """A frame of the video as JPEG, in its own size.

        Raises:
            AnyliftError: there is no such frame.
        """
        (shown,) = read_frames_at(self.video, [frame])
        _, data = cv2.imencode(".jpg", shown.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        return data.tobytes()

    def pose(self, name: str, frame: int, points: np.ndarray, pixels: np.ndarray) -> dict[str, Any] | None:
        """Where clicks put an object; None where they fit no pose.

        Args:
            points: (N, 3) in the mesh file's axes and unit; nothing for a ball.
            pixels: (N, 2).

        Returns:
            `miss` px of each click, `rms` px, `distance` m, `outline` polygons and `seen` points in pixels.
        """
        one, K = self.objects[name], self.lens.of(frame)
        if one.ball is not None:
            found = pose_of_outline(one.ball, pixels, K)
        else:
            found = pose_of_clicks(points * one.mesh.unit, pixels, K)
        if found is None:
            return None
        pose = found.camera_from_object
        if one.ball is not None:
            outlines, seen = [outline(K, pose[:3, 3] + one.ball.middle, one.ball.radius)], np.zeros((0, 2))
        else:
            outlines = self._outlines(one.mesh, pose, K)
            seen = project_camera(transform(pose, points * one.mesh.unit), K)
        return {
            "miss": found.miss.round(2).tolist(),
            "rms": round(float(np.sqrt((found.miss**2).mean())), 2),
            "distance": round(float(np.linalg.norm(pose[:3, 3])), 3) if one.mesh.size_known else None,
            "outline": [polygon.round(1).tolist() for polygon in outlines],
            "seen": seen.round(1).tolist(),
        }

    def save(self, entries: dict[str, list[dict[str, Any]]], *, replace: bool) -> dict[str, Any]:
        """Write the points file; poses that it held, and other objects, stay in it.

        Frames with fewer clicks than wanted are left out.

        Args:
            entries: as `self.entries`.
            replace: whether a file that this session has not written itself may be replaced.

        Returns:
            `saved` and `left_out`, lists of [name, frame, clicks].

        Raises:
            FileExistsAlready: it may not.
            AnyliftError: the file cannot be written.
        """
        if self.out.exists() and not replace and sha256_of(self.out) != self._written:
            raise FileExistsAlready(f"{self.out} exists", "replace it, or start again with another --points")
        stored = {name: list(kept) for name, kept in self._stored.items() if name not in self.objects}
        saved, left_out = [], []
        for name, one in self.objects.items():
            full = [entry for entry in entries.get(name, []) if len(entry["pixels"]) >= one.wanted]
            kept = [entry for entry in self._stored.get(name, []) if not one.clickable(entry)]
            if full or kept:
                stored[name] = sorted([*kept, *full], key=lambda entry: entry.get("frame", 0))
            for entry in entries.get(name, []):
                told = saved if len(entry["pixels"]) >= one.wanted else left_out
                told.append([name, entry["frame"], len(entry["pixels"])])
        with atomic_path(self.out) as temporary:
            temporary.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        self._written = sha256_of(self.out)
        return {"saved": saved, "left_out": left_out}

    def _outlines(self, mesh: Mesh, pose: np.ndarray, K: np.ndarray) -> list[np.ndarray]:
        size = tuple(round(2 * float(side)) for side in K[:2, 2])
        mask = silhouette(mesh.vertices, mesh.faces, pose, K, size)
        found, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        return [cv2.approxPolyDP(polygon, _OUTLINE_OFF, True)[:, 0] + 0.5 for polygon in found]
