"""What this machine can run: Python, devices, packages, weights, and what each part of the chain lacks."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from anylift_cli import __version__
from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.tools import TOOLS, Tool, gpus, lacking, tools_folder
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.networks import network_files
from anylift_cli.weights_store.fetching import installed
from anylift_cli.weights_store.finding import fetched_folder, find_weights
from anylift_cli.weights_store.manifest import external_weights

REINSTALL = "pip install --force-reinstall anylift-cli"
GROUPS = ("anylift.keypoints", "anylift.cameras", "anylift.objects", "anylift.lifters", "anylift.exporters")


@dataclass(frozen=True)
class Part:
    """Something the chain can run.

    Attributes:
        stage, name: as in the options of `anylift run`.
        modules: what must be importable, in this order, with the distribution that brings each.
        licence: of what does the work.
        speed: as measured, on two CPU cores; "" where it does not matter.
        default: whether the default chain needs it.
        files: weights files that ship with anylift.
        weights: name of the external weights it needs, "" for none.
        install: how to get missing packages.
        tool: the program in an environment of its own that does the work, None for none.
        check: raises AnyliftError where something else is missing.
    """

    stage: str
    name: str
    modules: tuple[tuple[str, str], ...]
    licence: str
    speed: str = ""
    default: bool = False
    files: tuple[str, ...] = ()
    weights: str = ""
    install: str = REINSTALL
    tool: Tool | None = None
    check: Callable[[], object] | None = None


_CV2 = ("cv2", "opencv-contrib-python")
_TORCH = ("torch", "torch")
_SMPLX = ("smplx", "smplx")
_NETWORK, _PRIOR, _BODY = "anylift-human.safetensors", "pose_prior.npz", "open_body.npz"
PARTS = (
    Part("video", "PyAV", (("av", "av"),), "BSD (FFmpeg libraries: LGPL/GPL)", default=True),
    Part("video", "shots", (_CV2, ("scenedetect", "scenedetect")), "BSD", default=True),
    Part("keypoints", "mediapipe", (_CV2, ("mediapipe", "mediapipe")), "Apache-2.0", "30-44 frames/s", default=True),
    Part(
        "keypoints",
        "vitpose",
        (_TORCH, ("transformers", "transformers")),
        "Apache-2.0",
        install="pip install 'anylift-cli[vitpose]'",
        check=lambda: network_files(KeypointOptions("vitpose")),
    ),
    Part("keypoints", "PATH", (_CV2,), "of the tool that wrote it"),
    Part("cameras", "still, rotating", (_CV2,), "Apache-2.0", "190-300 frames/s at 544x306", default=True),
    Part("cameras", "moving", (_CV2, ("pycolmap", "pycolmap")), "BSD", "6 frames/s at 640x360", default=True),
    Part("cameras", "PATH", (_CV2, ("pycolmap", "pycolmap"), ("scipy", "scipy")), "of the tool that wrote it"),
    *(Part(tool.stage, tool.name, (_CV2,), tool.licence, tool=tool) for tool in TOOLS.values()),
    Part("lift", "optimize", (_TORCH,), "Apache-2.0", "42 frames/s", default=True, files=(_PRIOR, _BODY)),
    Part(
        "lift",
        "diffusion",
        (_TORCH, ("safetensors", "safetensors")),
        "Apache-2.0",
        "84 frames/s",
        files=(_NETWORK, _PRIOR, _BODY),
    ),
    Part("fit", "open", (_TORCH, _SMPLX), "Apache-2.0; smplx non-commercial", default=True, files=(_PRIOR, _BODY)),
    *(
        Part("fit", name, (_TORCH, _SMPLX), "Max Planck, non-commercial", weights=name)
        for name in ("smpl-neutral", "smplh-male", "smplx-neutral")
    ),
    Part("fit", "vposer", (_TORCH,), "Max Planck, non-commercial", weights="vposer"),
    Part("export", "glb", (("pygltflib", "pygltflib"), ("trimesh", "trimesh")), "MIT"),
    Part("export", "usd", (("pxr", "usd-core"),), "Tomorrow Open Source", install="pip install 'anylift-cli[usd]'"),
)


@dataclass(frozen=True)
class Finding:
    """One part: whether it is ready, what is missing otherwise, and the command that helps."""

    stage: str
    name: str
    ready: bool
    default: bool
    missing: str
    next: str
    licence: str
    speed: str


def examine() -> dict[str, Any]:
    """The machine, its devices and every part, in plain JSON values; `ready` is whether the default chain can run."""
    findings = [_finding(part) for part in PARTS]
    return {
        "anylift": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "devices": _devices(),
        "ffmpeg": shutil.which("ffmpeg") or "",
        "weights_folder": str(fetched_folder()),
        "tools_folder": str(tools_folder()),
        "gpus": gpus(),
        "disk_free_gib": _free(fetched_folder()),
        "plugins": _plugins(),
        "parts": [asdict(finding) for finding in findings],
        "ready": all(finding.ready for finding in findings if finding.default),
    }


def _finding(part: Part) -> Finding:
    missing, way = "", ""
    for module, distribution in part.modules:
        if problem := _import_problem(module, distribution):
            missing, way = problem, part.install
            break
    if not missing:
        missing, way = _missing_file(part) if part.tool is None else lacking(part.tool)
    return Finding(part.stage, part.name, not missing, part.default, missing, way, part.licence, part.speed)


def _import_problem(module: str, distribution: str) -> str:
    """What is wrong with a package; "" for nothing. It is really imported: a broken one is worse than none."""
    try:
        import_module(module)
    except ImportError as error:
        try:
            return f"{distribution} {version(distribution)} cannot be loaded: {error}"
        except PackageNotFoundError:
            return f"{distribution} is not installed"
    return ""


def _missing_file(part: Part) -> tuple[str, str]:
    try:
        for file in part.files:
            find_weights(file)
        if part.check is not None:
            part.check()
    except AnyliftError as error:
        return error.message, error.hint
    if part.weights:
        entry = external_weights()[part.weights]
        if any(installed(file) is None for file in entry.files):
            return f"its file; {entry.page}", f"anylift weights fetch {entry.name}"
    return "", ""


def _devices() -> list[dict[str, Any]]:
    """Torch's devices with the memory of each; none where torch cannot be loaded."""
    try:
        import torch
    except ImportError:
        return []
    found: list[dict[str, Any]] = [{"device": "cpu", "torch": torch.__version__, "threads": torch.get_num_threads()}]
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        memory = round(about.total_memory / (1 << 30), 1)
        found.append({"device": f"cuda:{index}", "name": about.name, "memory_gib": memory})
    if torch.backends.mps.is_available():
        found.append({"device": "mps"})
    return found


def _plugins() -> list[str]:
    """Backends that other packages have registered."""
    entries = (entry for group in GROUPS for entry in entry_points(group=group))
    return sorted(f"{entry.group}: {entry.name}" for entry in entries if not entry.value.startswith("anylift_cli."))


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1)
    except (AttributeError, OSError, ValueError):
        return None


def _free(folder: Path) -> float:
    present = next(place for place in _upwards(folder) if place.exists())
    return round(shutil.disk_usage(present).free / (1 << 30), 1)


def _upwards(folder: Path) -> Iterable[Path]:
    return (folder.absolute(), *folder.absolute().parents)
