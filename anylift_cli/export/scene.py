"""What animation formats hold, in one form: characters, a camera and props over time, in any axes and unit.

Writers declare `up` and `metres_per_unit` and write numbers as they are; nothing else in `export` turns or scales.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

Y_UP_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""x, y, z → x, z, -y: SMPL's rest pose is y up and faces +z, its world is z up."""


@dataclass(frozen=True)
class Character:
    """One person: a tree of joints whose axes are the world's in the rest pose, and a skin.

    Attributes:
        name: as given, for display; formats with rules for names make their own of it.
        joint_names: (J,) parents come before their children.
        parents: (J,) -1 at the root.
        rest: (J, 3) positions of the rest pose, the pelvis where the body model puts it.
        rotations: (T, J, 3, 3) relative to the parent; the identity is the rest pose.
        translations: (T, J, 3) of each joint in its parent's axes; constant for all joints but those that travel.
        vertices: (V, 3) of the rest pose; faces: (F, 3).
        skin_joints: (V, 4) joints that move a vertex, and skin_weights (V, 4), which sum to 1; unused ones are 0.
        contact_names: (C,) and contacts: (T, C) probability of touching the floor.
        confidence: (T,) 0 … 1.
    """

    name: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    skin_joints: np.ndarray
    skin_weights: np.ndarray
    contact_names: tuple[str, ...]
    contacts: np.ndarray
    confidence: np.ndarray

    @property
    def travelling(self) -> tuple[int, ...]:
        """Joints whose translation is animated."""
        moves = np.abs(self.translations - self.rest_offsets).max((0, 2)) > 1e-9
        return tuple(joint for joint, parent in enumerate(self.parents) if parent < 0 or moves[joint])

    @property
    def rest_offsets(self) -> np.ndarray:
        """(J, 3) from the parent's rest position; the root's rest position itself."""
        return np.stack([self.rest[j] - (self.rest[p] if p >= 0 else 0.0) for j, p in enumerate(self.parents)])

    def world(self) -> tuple[np.ndarray, np.ndarray]:
        """World rotations (T, J, 3, 3) and positions (T, J, 3)."""
        rotations, positions = self.rotations.copy(), self.translations.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                turn = rotations[:, parent]
                positions[:, joint] = positions[:, parent] + (turn @ self.translations[:, joint, :, None])[..., 0]
                rotations[:, joint] = turn @ self.rotations[:, joint]
        return rotations, positions


@dataclass(frozen=True)
class Camera:
    """The video's camera.

    Attributes:
        pose: (T, 4, 4) to the world; the camera looks along its -z, its y is up in the picture.
        focal, principal: (T, 2) px.
        image_size: px width, height.
    """

    pose: np.ndarray
    focal: np.ndarray
    principal: np.ndarray
    image_size: tuple[int, int]


@dataclass(frozen=True)
class Prop:
    """An object: mesh vertices (V, 3) and faces (F, 3) in its own axes (none: V = F = 0), pose (T, 4, 4) to the world.

    `pose` has no scale; `vertices` are in the scene's unit.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    pose: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Everything over T frames at an even rate.

    Attributes:
        fps: frames per second.
        up: "y" (front is +z) or "z" (front is -y) of a right-handed world.
        metres_per_unit: 1 or 0.01.
    """

    fps: float
    characters: tuple[Character, ...]
    camera: Camera | None
    props: tuple[Prop, ...]
    up: str = "y"
    metres_per_unit: float = 1.0

    @property
    def frames(self) -> int:
        """T."""
        return len(self.characters[0].rotations)

    def y_up(self) -> Scene:
        """The same scene with y up, everything turned: worlds, rest poses, meshes."""
        return self if self.up == "y" else _turned(self, "y", Y_UP_FROM_Z_UP)

    def z_up(self) -> Scene:
        """The same scene with z up, everything turned: worlds, rest poses, meshes."""
        return self if self.up == "z" else _turned(self, "z", Y_UP_FROM_Z_UP.T)

    def in_unit(self, metres: float) -> Scene:
        """The same scene measured in units of `metres`."""
        factor = self.metres_per_unit / metres
        return replace(
            self,
            metres_per_unit=metres,
            characters=tuple(
                replace(
                    one, rest=one.rest * factor, translations=one.translations * factor, vertices=one.vertices * factor
                )
                for one in self.characters
            ),
            camera=self.camera and replace(self.camera, pose=_scaled_pose(self.camera.pose, factor)),
            props=tuple(
                replace(prop, pose=_scaled_pose(prop.pose, factor), vertices=prop.vertices * factor)
                for prop in self.props
            ),
        )


def _turned(scene: Scene, up: str, turn: np.ndarray) -> Scene:
    return replace(
        scene,
        up=up,
        characters=tuple(_turned_character(one, turn) for one in scene.characters),
        camera=scene.camera and replace(scene.camera, pose=_turned_pose(scene.camera.pose, turn, np.eye(3))),
        props=tuple(
            replace(prop, pose=_turned_pose(prop.pose, turn, turn), vertices=prop.vertices @ turn.T)
            for prop in scene.props
        ),
    )


def _turned_character(one: Character, turn: np.ndarray) -> Character:
    return replace(
        one,
        rest=one.rest @ turn.T,
        rotations=turn @ one.rotations @ turn.T,
        translations=one.translations @ turn.T,
        vertices=one.vertices @ turn.T,
    )


def _turned_pose(pose: np.ndarray, world: np.ndarray, inside: np.ndarray) -> np.ndarray:
    turned = pose.copy()
    turned[:, :3, :3] = world @ pose[:, :3, :3] @ inside.T
    turned[:, :3, 3] = pose[:, :3, 3] @ world.T
    return turned


def _scaled_pose(pose: np.ndarray, factor: float) -> np.ndarray:
    scaled = pose.copy()
    scaled[:, :3, 3] *= factor
    return scaled
