"""How far off other programs see the joints of exported files: `python benchmarks/exporters.py MOTION.npz ...`.

Writes each motion in each format for each target, reads the file with every importer that is installed
(tests/importers), and compares the 24 joints' world positions at every frame with the motion's. Prints a Markdown table
of the largest distances in mm, and how often the formats' validators complain; `–` where one is not here. Blender is
found through ANYLIFT_BLENDER_PYTHON, Khronos' validator through ANYLIFT_GLTF_VALIDATOR.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from importers.assimp import read_with_assimp
from importers.blender import read_with_blender
from importers.gltf import joints_of as gltf_joints
from importers.gltf import validate
from importers.ufbx_reader import read_with_ufbx

from anylift_cli.export.base import exporter
from anylift_cli.export.inputs import read_take
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.scene import Y_UP_FROM_Z_UP
from anylift_cli.export.take import Take
from anylift_cli.export.targets import TARGETS, export_options


def ufbx(take: Take, path: Path) -> np.ndarray:
    """FBX through ufbx."""
    return read_with_ufbx(path, take.fps, take.scene.frames).joints(_names(take))


def assimp(take: Take, path: Path) -> np.ndarray:
    """FBX or BVH through assimp, which leaves axes and unit as they are."""
    joints = read_with_assimp(path, take.scene.frames).joints(_names(take))
    return _z_up(joints, take) * take.options.metres_per_unit


def blender(take: Take, path: Path) -> np.ndarray:
    """Any of the four formats through Blender, with the importers' own choices but for the unit and axes of a BVH."""
    if path.suffix == ".glb" and take.fps != round(take.fps):
        pytest.skip("Blender 4.5 stretches glTF files at broken scene rates")
    seen = read_with_blender(path, take.fps, take.scene.frames, take.options.metres_per_unit)
    names, joints = seen.joints()
    plain = [name.replace(":", "_") for name in names]
    joints = joints[:, [plain.index(name.replace(":", "_")) for name in _names(take)]]
    turned = path.suffix == ".bvh" and take.options.up == "z"
    return joints @ Y_UP_FROM_Z_UP.T if turned else joints


def gltf(take: Take, path: Path) -> np.ndarray:
    """glTF through a reader that follows the specification."""
    ((_, joints),) = gltf_joints(path, take.fps, take.scene.frames).values()
    return joints[:, -24:]


def openusd(take: Take, path: Path) -> np.ndarray:
    """USD through OpenUSD's own skeleton queries."""
    from importers.usd import joints_of

    ((_, joints),) = joints_of(path, take.scene.frames).values()
    return joints[:, -24:]


def table_of_numbers(take: Take, path: Path) -> np.ndarray:
    """CSV through numpy."""
    rows = np.genfromtxt(path, delimiter=",", names=True)
    columns = [[rows[f"{name.replace(':', '')}_{axis}_m"] for axis in "xyz"] for name in _names(take)]
    return np.array(columns).transpose(2, 0, 1)


def markers(take: Take, path: Path) -> np.ndarray:
    """TRC through numpy."""
    rows = np.genfromtxt(path, delimiter="\t", skip_header=6)
    return rows[:, 2 : 2 + 24 * 3].reshape(-1, 24, 3) @ Y_UP_FROM_Z_UP / 1000


def khronos(path: Path) -> int:
    """Errors and warnings of Khronos' validator."""
    report = validate(path)
    return report["numErrors"] + report["numWarnings"]


def usdchecker(path: Path) -> int:
    """Complaints of the validators that `usdchecker` runs."""
    from importers.usd import complaints

    return len(complaints(path))


VALIDATORS = {"glb": ("Khronos' validator", khronos), "usd": ("usdchecker's validators", usdchecker)}

READERS: tuple[tuple[str, str, Callable[[Take, Path], np.ndarray]], ...] = (
    ("fbx", "ufbx 0.0.5", ufbx),
    ("fbx", "assimp", assimp),
    ("fbx", "Blender 4.5", blender),
    ("glb", "tests/importers/gltf.py", gltf),
    ("glb", "Blender 4.5", blender),
    ("usd", "OpenUSD", openusd),
    ("usd", "Blender 4.5", blender),
    ("bvh", "assimp", assimp),
    ("bvh", "Blender 4.5", blender),
    ("csv", "numpy", table_of_numbers),
    ("trc", "numpy", markers),
)


def found_by(check: Callable[[Path], int], path: Path) -> int | None:
    """What a validator finds in a file; None where it is not here."""
    try:
        return check(path)
    except pytest.skip.Exception:
        return None


def error(take: Take, path: Path, read: Callable[[Take, Path], np.ndarray]) -> float | None:
    """Largest distance in mm between a joint of the file and of the motion; None where the importer is not here."""
    try:
        joints = read(take, path)
    except pytest.skip.Exception:
        return None
    return float(np.linalg.norm(joints - truth_of(take), axis=-1).max() * 1000)


def truth_of(take: Take) -> np.ndarray:
    """The motion's joints at the take's times, in m: as the body gives them, or between frames the scene's."""
    if take.times is take.motions[0].timestamps:
        return take.motions[0].joints
    return _z_up(take.scene.characters[0].world()[1][:, -24:], take) * take.options.metres_per_unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motions", nargs="+", type=Path)
    parser.add_argument("--targets", default="default", help=f"with commas: default, {', '.join(TARGETS)}")
    parser.add_argument("--formats", default=",".join(dict.fromkeys(name for name, _, _ in READERS)))
    options = parser.parse_args()
    targets, formats = options.targets.split(","), options.formats.split(",")
    worst: dict[tuple[str, str, str], float] = {}
    faults: dict[tuple[str, str], int] = {}
    frames, seconds = 0, dict.fromkeys(formats, 0.0)
    for motion in options.motions:
        for target in targets:
            take = read_take([motion], export_options(None if target == "default" else target), {})
            frames += take.scene.frames
            with tempfile.TemporaryDirectory() as folder:
                for name in formats:
                    started = time.perf_counter()
                    path = exporter(name).write(take, Path(folder) / f"motion{exporter(name).suffix}")
                    seconds[name] += time.perf_counter() - started
                    if name in VALIDATORS and (count := found_by(VALIDATORS[name][1], path)) is not None:
                        faults[name, target] = faults.get((name, target), 0) + count
                    for format_name, importer, read in READERS:
                        if format_name == name and (found := error(take, path, read)) is not None:
                            key = (name, importer, target)
                            worst[key] = max(worst.get(key, 0.0), found)
    print(f"{len(options.motions)} motions, {frames} frames; seconds to write: "
          + ", ".join(f"{name} {spent:.1f}" for name, spent in seconds.items()) + "\n")  # fmt: skip
    print("| format | importer | " + " | ".join(targets) + " |")
    print("|---|---|" + "---|" * len(targets))
    for name, importer, _ in READERS:
        if name in formats:
            cells = [worst.get((name, importer, target)) for target in targets]
            print(f"| {name} | {importer} | " + " | ".join("–" if c is None else f"{c:.4f}" for c in cells) + " |")
    for name, (validator, _) in VALIDATORS.items():
        if name in formats:
            cells = [faults.get((name, target)) for target in targets]
            print(f"| {name} | {validator}: complaints | "
                  + " | ".join("–" if c is None else str(c) for c in cells) + " |")  # fmt: skip


def _names(take: Take) -> tuple[str, ...]:
    return JOINT_NAMES[take.options.names]


def _z_up(points: np.ndarray, take: Take) -> np.ndarray:
    return points if take.options.up == "z" else points @ Y_UP_FROM_Z_UP


if __name__ == "__main__":
    main()
