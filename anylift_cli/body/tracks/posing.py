"""SMPL parameters to points.

SMPL's shape coefficients mean nothing to our open body, and its rest joints lie elsewhere. So without an SMPL file
every person is posed as the open body of mean height, with the pelvis put where the parameters put SMPL's; the
rotations carry over because both rest in the same T-pose. On the one ROMP file at hand, a person of nearly mean
shape, such joints lie 46 mm on average from SMPL's own after centring on the pelvis. With the user's SMPL file (`body`)
the shapes count as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anylift_cli.body.model import BodyModel
from anylift_cli.body.tracks.track import PointTrack, SmplTrack
from anylift_cli.geometry.rotations import matrix_from_axis_angle

BODY_JOINTS = 22
"""Joints that SMPL, SMPL-H and SMPL-X share at the start of their poses."""

REST_PELVIS = {
    ("smpl", "neutral"): (-0.0022, -0.2408, 0.0286),
    ("smpl", "male"): (-0.0022, -0.2408, 0.0286),
    ("smpl", "female"): (-0.0009, -0.2114, 0.0278),
    ("smplx", "neutral"): (0.0031, -0.3514, 0.0120),
    ("smplx", "male"): (0.0031, -0.3514, 0.0120),
    ("smplx", "female"): (0.0031, -0.3514, 0.0120),
}
"""Pelvis of the mean shape at rest, m: the files' translations move this point. SMPL-H's is SMPL's. Only the height
above the floor depends on it; for SMPL-X the neutral one stands for all."""


@dataclass(frozen=True)
class Poser:
    """A body to pose, and whether it is a user's SMPL or SMPL-X file, so that shapes of its family count."""

    body: BodyModel
    is_smpl: bool

    @classmethod
    def load(cls, body: Path | str | None) -> Poser:
        """The user's SMPL file, or the open body for None.

        Raises:
            AnyliftError: the file is missing, damaged or no 24-joint body.
        """
        return cls(BodyModel.load("open" if body is None else body), body is not None)

    @property
    def name(self) -> str:
        return f"{self.body.name}, each person's shape" if self.is_smpl else "open body, mean shape"

    @property
    def height(self) -> float:
        """Standing height of the mean shape, m."""
        return float(self.body.standing_height(torch.zeros(1, self.body.num_betas))[0])

    def points_of(self, track: SmplTrack) -> PointTrack:
        """The points of a person's parameters."""
        place = self.from_pelvis if track.place_is_pelvis else self.from_translation
        joints, points = place(track.rotations, track.place, track.betas, track.family)
        return PointTrack(track.id, track.frames, joints, points)

    def from_translation(
        self,
        rotations: np.ndarray,
        translation: np.ndarray,
        betas: np.ndarray | None = None,
        family: str = "smpl",
        gender: str = "neutral",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pose with SMPL's own translation: pelvis = rest pelvis + translation.

        Args:
            rotations: (T, 24, 3, 3) relative to the parent, the first in the world.
            translation: (T, 3) m.
            betas: (S,) or (T, S) shape; counts only for the user's body of the same family.
            family: "smpl" (also for SMPL-H) or "smplx".
            gender: "neutral", "male" or "female".

        Returns:
            joints (T, 24, 3) and `body24` points (T, 24, 3), m.
        """
        if self._is_of(family):
            return self._pose(rotations, self._shape(betas, family), translation)
        rest = np.array(REST_PELVIS.get((family, gender), REST_PELVIS[family, "neutral"]))
        return self.from_pelvis(rotations, rest + translation)

    def from_pelvis(
        self, rotations: np.ndarray, pelvis: np.ndarray, betas: np.ndarray | None = None, family: str = "smpl"
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `from_translation`, with the pelvis (T, 3) itself given."""
        shape = self._shape(betas, family)
        rest = self.body.rest_joints(shape)[0, 0].double().numpy()
        return self._pose(rotations, shape, pelvis - rest)

    def _is_of(self, family: str) -> bool:
        """Whether this is the user's body of `family`."""
        return self.is_smpl and (self.body.family == "smplx") == (family == "smplx")

    def _shape(self, betas: np.ndarray | None, family: str) -> torch.Tensor:
        shape = torch.zeros(1, self.body.num_betas)
        if self._is_of(family) and betas is not None:
            mean = np.atleast_2d(betas).mean(0)[: self.body.num_betas]
            shape[0, : len(mean)] = torch.from_numpy(mean)
        return shape

    def _pose(self, rotations: np.ndarray, shape: torch.Tensor, transl: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at_origin = self.body.joints(torch.from_numpy(rotations).float(), shape, torch.zeros(len(rotations), 3))
        joints, points = (values.double().numpy() + transl[:, None] for values in at_origin)
        return joints, points


def rotations_of(axis_angle: np.ndarray) -> np.ndarray:
    """Axis-angle poses (T, 3 J) or (T, J, 3), of at least 22 joints → (T, 24, 3, 3).

    Of SMPL-H and SMPL-X only the body's joints are taken; SMPL's two hand joints then stay unturned.
    """
    poses = torch.as_tensor(axis_angle, dtype=torch.float64).reshape(len(axis_angle), -1, 3)
    count = 24 if poses.shape[1] == 24 else BODY_JOINTS
    full = torch.zeros(len(poses), 24, 3, dtype=torch.float64)
    full[:, :count] = poses[:, :count]
    return matrix_from_axis_angle(full).numpy()
