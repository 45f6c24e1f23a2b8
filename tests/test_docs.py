"""The documentation builds without a warning, has a page of every command, and its examples run."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand

from anylift_cli.__main__ import main
from anylift_cli.app import COMMANDS, load

ROOT = Path(__file__).parents[1]
LONG = {
    "run": "test_cli_bad_input.py",
    "batch": "test_batch_runs.py",
    "keypoints": "test_keypoints.py",
    "objects": "test_cli_objects.py",
    "lift": "test_cli.py",
    "fit": "test_cli.py",
    "synthesize": "test_synthetic_scenes.py",
    "evaluate mocap": "test_evaluation_mocap.py",
    "evaluate pixels": "test_evaluation_pixels.py",
    "evaluate synthetic": "test_evaluation_scenes.py",
    "evaluate aist": "test_evaluation_aist_behave.py",
    "evaluate behave": "test_evaluation_aist_behave.py",
    "evaluate hoi": "test_evaluation_hoi.py",
    "evaluate compare": "test_evaluation_compare.py",
    "train average": "test_training.py",
    "train from-mocap": "test_training.py",
    "train interactions": "test_training_interactions.py",
    "train multi-view": "test_training_synthesis.py",
    "train prepare": "test_training_prepare.py",
    "train single-view": "test_training_single_view.py",
    "train synthesize": "test_training_synthesis.py",
    "weights fetch": "test_weights_fetching.py",
    "weights import": "test_body_weights_store.py",
    "weights verify": "test_weights_fetching.py",
    "weights path": "test_weights_fetching.py",
}
"""Commands whose examples need minutes, the network or data that is not here: of these only the options are checked,
and the test file that runs them on something small."""


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Each command and subcommand by its words."""
    for name in COMMANDS:
        command = load(name)
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {sub}", one) for sub, one in inner.items())


def examples() -> dict[str, list[str]]:
    """The words of each command's example, without the command itself."""
    found = {}
    for name, command in commands():
        line = re.search(rf"^Example: anylift {name}(?: (.+))?$", command.help, re.MULTILINE)
        assert line, f"anylift {name} has no example in its docstring"
        found[name] = shlex.split(line[1] or "")
    return found


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, scene_folder):
    """A folder with what the examples name."""
    folder = tmp_path_factory.mktemp("workshop")
    for name in ("motion", "keypoints", "cameras"):
        shutil.copy(scene_folder / f"{name}.npz", folder)
    (folder / "lifted").mkdir()
    for name in ("motion.npz", "squats.npz", "lifted/clip.npz"):
        if not (folder / name).exists():
            shutil.copy(scene_folder / "motion.npz", folder / name)
    shutil.copy(scene_folder / "video.mp4", folder / "squats.mp4")
    return folder


def test_every_command_has_an_example_and_those_that_take_long_have_a_test():
    assert set(LONG) <= set(examples())
    for name, file in LONG.items():
        assert (ROOT / "tests" / file).exists(), f"{file}, which tests `anylift {name}`, is gone"


@pytest.mark.parametrize("name", examples())
def test_options_of_the_example_are_those_of_the_command(name):
    words = examples()[name]
    dict(commands())[name].make_context(name, [*words], resilient_parsing=False)


@pytest.mark.parametrize("name", sorted(set(examples()) - set(LONG)))
def test_the_example_runs(workshop, monkeypatch, capsys, name):
    if name == "dataset pack":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install pyarrow")
    monkeypatch.chdir(workshop)
    more = {"dataset pack": ["--seconds", "0"]}.get(name, [])
    monkeypatch.setattr(sys, "argv", ["anylift", *name.split(), *examples()[name], *more])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    assert said.out


def test_the_site_builds_without_a_warning_and_has_a_page_of_each_command(tmp_path):
    pytest.importorskip("mkdocs", reason="MkDocs is not installed: pip install 'anylift-cli[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    for name, _ in commands():
        page = (tmp_path / "site" / "commands" / name.split()[0] / "index.html").read_text(encoding="utf-8")
        assert f"anylift {name}</code>" in page and "$ anylift " in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//(?!example)[^"]*\.(?:js|css|woff2?)"', page)


def test_every_package_has_a_licence_in_the_readme():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = {name: lines for name, lines in setup["options.extras_require"].items() if name not in ("dev", "docs")}
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Licences")[2].lower()
    for line in "\n".join([setup["options"]["install_requires"], *extras.values()]).split("\n"):
        name = re.split(r"[\[<>=;~! ]", line.strip())[0]
        words = {"torch": "pytorch", "opencv-contrib-python": "opencv", "av": "pyav"}.get(name, name)
        assert words.replace("-", "") in table.replace("-", ""), f"{name} is not in the README's licence table"
