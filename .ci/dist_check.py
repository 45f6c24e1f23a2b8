"""Builds wheel and sdist, and uses them as someone does who has never seen the repository.

    python .ci/dist_check.py python3.10 python3.11 python3.12

Needs the package `build`. Each Python gets an environment of its own with the wheel and its runtime dependencies only,
in which the shipped clip is lifted from another folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
SHIPPED = (
    "anylift_cli/py.typed",
    "anylift_cli/report/page/page.html",
    "anylift_cli/dataset/page/page.html",
    "anylift_cli/weights/anylift-human.safetensors",
    "anylift_cli/weights/manifest.toml",
    "anylift_cli/weights/motion_features.npz",
    "anylift_cli/weights/open_body.npz",
    "anylift_cli/weights/pose_prior.npz",
)
SOURCES = ("LICENSE", "README.md", "Makefile", "constraints.txt", "examples/demo.mp4", "tests/conftest.py")
LARGEST = 16 << 20
"""Bytes of the largest member that may ship: above the network, below anything that came in by mistake."""


def call(*command: object, **settings: object) -> str:
    """Run a command and return what it says on stdout; its errors are shown."""
    print("$", *command, flush=True)
    return subprocess.run(
        [str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE, **settings
    ).stdout


def build(folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist; the wheel of the sdist equals that of the checkout."""
    call(sys.executable, "-m", "build", "--outdir", folder / "sdist", ROOT)
    call(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "checkout", ROOT)
    (sdist,) = (folder / "sdist").glob("*.tar.gz")
    (wheel,) = (folder / "sdist").glob("*.whl")
    (other,) = (folder / "checkout").glob("*.whl")
    ours, theirs = members(wheel), members(other)
    differ = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    assert not differ, f"sdist and checkout make other wheels (`make clean` removes an old build/): {differ}"
    return wheel, sdist


def members(wheel: Path) -> dict[str, bytes]:
    """Content of each file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def check_contents(wheel: Path, sdist: Path) -> None:
    """Nothing is missing, nothing came in by mistake."""
    files = members(wheel)
    assert not (missing := set(SHIPPED) - set(files)), f"the wheel lacks {missing}"
    strangers = [name for name in files if not name.startswith(("anylift_cli/", "anylift_cli-"))]
    assert not strangers, f"the wheel holds {strangers}"
    with tarfile.open(sdist) as archive:
        sizes = {name.partition("/")[2]: member.size for name, member in zip(archive.getnames(), archive, strict=True)}
    assert not (missing := set(SOURCES) - set(sizes)), f"the sdist lacks {missing}"
    for name, size in {**sizes, **{name: len(content) for name, content in files.items()}}.items():
        assert size <= LARGEST, f"{name} has {size} bytes"
    print(
        f"wheel {wheel.stat().st_size >> 10} KiB, {len(files)} files; sdist {sdist.stat().st_size >> 10} KiB, "
        f"{len(sizes)} files"
    )


def use(python: str, wheel: Path, folder: Path) -> None:
    """Install the wheel with what it needs, and lift the shipped clip from another folder."""
    name = "Scripts" if os.name == "nt" else "bin"
    environment = folder / "environment"
    shutil.rmtree(environment, ignore_errors=True)
    call(python, "-m", "venv", environment)
    pip = environment / name / "python", "-m", "pip", "--disable-pip-version-check"
    call(*pip, "install", "--quiet", "--constraint", CONSTRAINTS, wheel)
    opencv = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("opencv-contrib-python=="))
    call(*pip, "uninstall", "--quiet", "--yes", "opencv-contrib-python")
    headless = opencv.replace("python==", "python-headless==")
    call(*pip, "install", "--quiet", "--no-deps", "--force-reinstall", headless)
    elsewhere = folder / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    elsewhere.mkdir()
    shutil.copy(ROOT / "examples" / "demo.mp4", elsewhere)
    anylift = environment / name / "anylift"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "ANYLIFT"))}
    there = {"cwd": elsewhere, "env": clean}
    print(call(anylift, "--version", **there).strip(), "on", call(environment / name / "python", "--version").strip())
    assert json.loads(call(anylift, "doctor", "--json", **there))["ready"]
    lifted = json.loads(call(anylift, "run", "demo.mp4", "--out", "motion.npz", "--json", **there))
    figures = json.loads((elsewhere / "motion.anylift" / "quality.json").read_text())
    assert figures["reprojection_percent"] < 2 and figures["frames_present"] == figures["frames"], figures
    print(json.dumps(figures), f"{len(lifted)} results")


def main(pythons: list[str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="anylift-dist-"))
    try:
        wheel, sdist = build(folder)
        check_contents(wheel, sdist)
        for python in pythons:
            use(python, wheel, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:] or [sys.executable])
