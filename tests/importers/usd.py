"""Reads USD files with OpenUSD's own evaluation of skeletons, skins and cameras, and with its validators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pxr", reason="needs usd-core")

from pxr import Gf, Usd, UsdGeom, UsdSkel, UsdValidation


class UsdScene:
    """A stage; times are time codes, results are z up and in metres.

    Attributes:
        stage: as opened.
    """

    def __init__(self, path: Path) -> None:
        self.stage = Usd.Stage.Open(str(path))
        self._cache = UsdSkel.Cache()
        for root in self.roots():
            self._cache.Populate(UsdSkel.Root(root), Usd.PrimDefaultPredicate)

    def roots(self) -> list[Usd.Prim]:
        """The SkelRoots."""
        return [prim for prim in self.stage.Traverse() if prim.IsA(UsdSkel.Root)]

    def prim(self, name: str) -> Usd.Prim:
        """The only child of the default prim that is displayed as `name`."""
        (found,) = (prim for prim in self.stage.GetDefaultPrim().GetChildren() if prim.GetDisplayName() == name)
        return found

    def skeleton(self, root: Usd.Prim) -> UsdSkel.SkeletonQuery:
        """Skeleton query of a SkelRoot's only binding."""
        (binding,) = self._cache.ComputeSkelBindings(UsdSkel.Root(root), Usd.PrimDefaultPredicate)
        return self._cache.GetSkelQuery(binding.GetSkeleton())

    def joints(self, root: Usd.Prim, frames: int) -> np.ndarray:
        """World positions (T, J, 3) at time codes 0, 1, …"""
        query = self.skeleton(root)
        worlds = [query.ComputeJointWorldTransforms(UsdGeom.XformCache(frame)) for frame in range(frames)]
        return self.metric(np.array(worlds)[..., 3, :3])

    def skinned(self, root: Usd.Prim, frames: int) -> np.ndarray:
        """World vertices (T, V, 3) of a SkelRoot's only mesh, as its binding moves them."""
        (binding,) = self._cache.ComputeSkelBindings(UsdSkel.Root(root), Usd.PrimDefaultPredicate)
        (target,) = binding.GetSkinningTargets()
        query = self.skeleton(root)
        rest = UsdGeom.Mesh(target.GetPrim()).GetPointsAttr().Get()
        moved = []
        for frame in range(frames):
            points = type(rest)(rest)
            assert target.ComputeSkinnedPoints(query.ComputeSkinningTransforms(frame), points, frame)
            moved.append(np.array(points))
        return self.metric(np.stack(moved))

    def pose(self, prim: Usd.Prim, frame: float) -> np.ndarray:
        """(4, 4) local to world for column vectors, in the stage's axes and unit."""
        return np.array(UsdGeom.XformCache(frame).GetLocalToWorldTransform(prim)).T

    def pictured(self, prim: Usd.Prim, points: np.ndarray, frame: float) -> np.ndarray:
        """Where a camera's frustum has points (N, 3) of the world (z up, metres), as shares of width and height."""
        frustum = UsdGeom.Camera(prim).GetCamera(frame).frustum
        through = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
        shown = [through.Transform(Gf.Vec3d(*point)) for point in self.unmetric(points).tolist()]
        return np.array(shown)[:, :2] * (0.5, -0.5) + 0.5

    def metric(self, points: np.ndarray) -> np.ndarray:
        """Stage coordinates (..., 3) as z-up metres."""
        points = points * UsdGeom.GetStageMetersPerUnit(self.stage)
        if UsdGeom.GetStageUpAxis(self.stage) == UsdGeom.Tokens.z:
            return points
        return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)

    def unmetric(self, points: np.ndarray) -> np.ndarray:
        """z-up metres (..., 3) in stage coordinates."""
        points = points / UsdGeom.GetStageMetersPerUnit(self.stage)
        if UsdGeom.GetStageUpAxis(self.stage) == UsdGeom.Tokens.z:
            return points
        return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def joints_of(path: Path, frames: int) -> dict[str, tuple[list[str], np.ndarray]]:
    """Of each person: names of joints, and their positions (T, J, 3) in z-up metres, frame by frame."""
    scene = UsdScene(path)
    return {
        root.GetDisplayName(): (
            list(UsdSkel.Skeleton(scene.skeleton(root).GetPrim()).GetJointNamesAttr().Get()),
            scene.joints(root, frames),
        )
        for root in scene.roots()
    }


def complaints(path: Path) -> list[str]:
    """What all validators of OpenUSD, which `usdchecker` runs too, have to say about a file."""
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 20
    found = UsdValidation.ValidationContext(validators).Validate(Usd.Stage.Open(str(path)))
    return [error.GetErrorAsString() for error in found]
