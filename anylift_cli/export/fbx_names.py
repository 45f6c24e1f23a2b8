"""Names of the nodes of an FBX file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from anylift_cli.export.scene import Scene

_LONGEST = 63
"""UTF-8 bytes that Blender keeps of a name."""
_LONGEST_LABEL = 40
"""Of a person's; the name of a joint follows."""
_TAKEN = "RootNode"
"""The name that readers give to what all nodes hang from."""


@dataclass(frozen=True)
class CharacterNames:
    """Of a person's group, mesh and joints."""

    group: str
    body: str
    joints: tuple[str, ...]


@dataclass(frozen=True)
class SceneNames:
    """Of everything in a scene, none twice, whatever the case of its letters."""

    characters: tuple[CharacterNames, ...]
    props: tuple[str, ...]
    camera: str


def scene_names(scene: Scene) -> SceneNames:
    """Names for the nodes of a scene.

    One person's joints have the names they have everywhere. With several persons, each one's are in a namespace of
    the person's name ("anna:pelvis"), which Maya and MotionBuilder take apart again.
    """
    labels = [_plain(one.name, _LONGEST_LABEL) or "person" for one in scene.characters]
    groups = _distinct(labels, {_TAKEN.casefold()})
    several = len(groups) > 1
    joints = [
        [f"{group}:{joint}" if several else joint for joint in one.joint_names]
        for group, one in zip(groups, scene.characters, strict=True)
    ]
    taken = {name.casefold() for name in (_TAKEN, *(groups if several else ()), *chain(*joints))}
    bodies = _distinct((f"{group}_body" for group in groups), taken)
    (camera,) = _distinct(["camera"], taken)
    props = _distinct((_plain(prop.name, _LONGEST) or "object" for prop in scene.props), taken)
    return SceneNames(
        tuple(CharacterNames(*names) for names in zip(groups, bodies, map(tuple, joints), strict=True)),
        tuple(props),
        camera,
    )


def _plain(name: str, longest: int) -> str:
    """Printable, without the colons of namespaces, up to `longest` bytes."""
    visible = "".join(letter if letter.isprintable() and letter != ":" else "_" for letter in name)
    return visible.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore").strip()


def _distinct(names: Iterable[str], taken: set[str]) -> list[str]:
    """`names` with numbers where they are in `taken`, into which the results go."""
    found = []
    for name in names:
        label, number = name, 2
        while label.casefold() in taken:
            end = f"_{number}"
            label, number = _plain_start(name, _LONGEST - len(end)) + end, number + 1
        taken.add(label.casefold())
        found.append(label)
    return found


def _plain_start(name: str, longest: int) -> str:
    return name.encode()[:longest].decode("utf-8", "ignore")
