"""The rules of the house (docs/architecture.md): what may import what, and how big a module may be."""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from anylift_cli.app import COMMANDS, load

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "anylift_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES}

STAGES = ("keypoints", "cameras", "objects", "lifting", "fitting", "export")
LAYERS = (
    ("", "errors", "checks", "interrupts", "memory", "progress", "geometry", "plugins", "steps", "warm"),
    ("artifacts", "body", "meshes", "video", "foreign", "rendering", "weights_store"),
    STAGES,
    (
        "pipeline", "outputs", "stages", "request", "chain", "batch", "report", "synthetic", "evaluation", "training",
        "editing", "choosing", "dataset", "describe", "doctor", "picking",
    ),
    ("commands", "console"),
    ("app",),
    ("__main__",),
)  # fmt: skip
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

CHAIN = {"pipeline", "outputs", "stages", "request", "chain"}
HEAVY = {"torch", "cv2", "mediapipe", "pycolmap", "av", "scipy", "smplx", "scenedetect", "transformers"}
LIGHT = (
    "errors",
    "checks",
    "memory",
    "progress",
    "plugins",
    "steps",
    "artifacts",
    "weights_store",
    "pipeline",
    "outputs",
    "request",
    "stages",
    "choosing",
)
WITHOUT_NUMPY = (
    "errors",
    "checks",
    "interrupts",
    "progress",
    "plugins",
    "steps",
    "commands",
    "console",
    "app",
    "__main__",
)


def part_of(module: str) -> str:
    """The first name below the package: "anylift_cli.cameras.still" → "cameras"."""
    return module.partition(".")[2].partition(".")[0]


def imports(path: Path, *, at_import_time: bool = False) -> Iterator[str]:
    """Names of imported modules; imports for type checkers only are left out."""

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in NAMES else node.module
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        elif not (at_import_time and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))):
            for child in ast.iter_child_nodes(node):
                yield from visit(child)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")))


def own_imports(module: str) -> set[str]:
    return {name for name in imports(NAMES[module]) if part_of(name) in LEVEL and name.startswith("anylift_cli")}


def test_every_part_has_a_place():
    assert {part_of(module) for module in NAMES} == set(LEVEL)


@pytest.mark.parametrize("module", NAMES)
def test_imports_run_one_way(module):
    part = part_of(module)
    for name in own_imports(module):
        other = part_of(name)
        if other in ("", part):
            continue
        assert LEVEL[other] <= LEVEL[part], f"{module} imports {name} from above"
        assert not (part in STAGES and other in STAGES), f"{module} imports {name}: a stage imports another stage"


def test_report_knows_nothing_of_the_chain():
    for module in NAMES:
        if part_of(module) in ("report", "synthetic", "evaluation", "training", "editing", "dataset", "picking"):
            assert not {part_of(name) for name in own_imports(module)} & CHAIN


def test_no_circles():
    try:
        TopologicalSorter({module: own_imports(module) - {module} for module in NAMES}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def light_modules() -> list[str]:
    return [module for module in NAMES if part_of(module) in LIGHT + WITHOUT_NUMPY or module.endswith(".base")]


@pytest.mark.parametrize("module", light_modules())
def test_light_modules_import_nothing_heavy(module):
    part = part_of(module)
    heavy = HEAVY | ({"numpy"} if part in WITHOUT_NUMPY else set())
    assert not {name.split(".")[0] for name in imports(NAMES[module], at_import_time=True)} & heavy


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_small_and_say_what_they_are_for(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 600
    assert ast.get_docstring(ast.parse(text))
    if path.name != "__init__.py":
        assert "from __future__ import annotations" in text


def test_every_package_is_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    present = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert listed == present | {"anylift_cli.third_party", "anylift_cli.weights"}


def test_the_oldest_python_has_all_that_is_used():
    """Of 3.10, the least that setup.cfg asks for; the suite itself mostly runs on a newer one."""
    vermin = [sys.executable, "-c", "import vermin; vermin.main()"]
    done = subprocess.run(
        [*vermin, "--quiet", "--target=3.10-", "--violations", str(PACKAGE)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_entry_points_name_what_exists():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for lines in setup["options.entry_points"].values():
        for line in lines.split("\n"):
            if line:
                module, _, name = line.partition("=")[2].strip().partition(":")
                defined = ast.parse(NAMES[module].read_text(encoding="utf-8")).body
                assert name in {getattr(node, "name", None) for node in defined}, line


def test_help_imports_nothing_heavy():
    script = (
        "import sys; sys.argv = ['anylift', '--help']\n"
        "from anylift_cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert not loaded & (HEAVY | {"numpy"})


def test_help_says_of_each_command_what_the_command_says():
    for name, (_, summary) in COMMANDS.items():
        command = load(name)
        assert command.name == name
        assert summary == " ".join(command.help.partition("\n\n")[0].split())


@pytest.mark.alone
def test_help_is_quick(tmp_path):
    """Processor time, which the load of other programs changes less than the clock does; modules once compiled."""
    resource = pytest.importorskip("resource", reason="Windows does not tell the processor time of finished children")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "anylift_cli", "--help"]
        subprocess.run(command, env=environment, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(10)) < 0.4
