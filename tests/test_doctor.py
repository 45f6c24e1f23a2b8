"""`anylift doctor` on this machine, and on one that lacks something."""

from __future__ import annotations

import json
import subprocess
import sys

from anylift_cli.doctor import PARTS, examine

WITHOUT = """
import sys
for name in {names}:
    sys.modules[name] = None
sys.argv = ["anylift", "doctor", "--json"]
from anylift_cli.__main__ main
main()
""".replace("__main__ main", "__main__ import main")


def without(*names: str) -> tuple[int, dict]:
    """Exit code and result where these packages cannot be imported."""
    done = subprocess.run([sys.executable, "-c", WITHOUT.format(names=names)], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


def test_this_machine_is_ready():
    about = examine()
    assert about["ready"] and about["devices"][0]["device"] == "cpu" and about["disk_free_gib"] > 0
    parts = {(part["stage"], part["name"]): part for part in about["parts"]}
    assert all(part["ready"] for part in parts.values() if part["default"])
    assert len(parts) == len(PARTS)
    smpl = parts["fit", "smpl-neutral"]
    assert not smpl["ready"] and smpl["next"] == "anylift weights fetch smpl-neutral"


def test_what_is_missing_is_named_with_the_command_that_helps():
    code, about = without("mediapipe", "pxr", "torch")
    assert code == 4 and not about["ready"] and about["devices"] == []
    parts = {(part["stage"], part["name"]): part for part in about["parts"]}
    assert "mediapipe" in parts["keypoints", "mediapipe"]["missing"]
    assert parts["export", "usd"]["next"] == "pip install 'anylift-cli[usd]'"
    assert parts["cameras", "still, rotating"]["ready"]
