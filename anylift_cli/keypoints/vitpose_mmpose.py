"""ViTPose through mmpose, which runs in its own environment; `third_party/vitpose-mmpose` says how it is set up."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.tools import MMPOSE, PATIENCE, environment_of, last_lines, require
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.imports.layouts import layout_of
from anylift_cli.keypoints.networks import network_files
from anylift_cli.keypoints.person_detector import PersonDetector
from anylift_cli.keypoints.top_down import TopDown


class VitPoseMmpose(TopDown):
    """ViTPose of mmpose behind a person detector of transformers.

    Raises:
        MissingDependencyError: mmpose's environment or weights are not here.
        AnyliftError: mmpose cannot be started, or the weights are no ViTPose.
    """

    def __init__(self, options: KeypointOptions) -> None:
        files = network_files(options)
        detector = PersonDetector(files["detector"].parent, options.device)
        network = MmposeNetwork(files["network"].parent, options.device, options.flip_test)
        names = f"{files['network'].parent.name}, {files['detector'].parent.name}"
        super().__init__(f"{network.version} {names}", detector, network)


class MmposeNetwork:
    """mmpose in a process of its own, which gets images and boxes through a pipe and sends points back.

    Args:
        folder: holds `config.json` and `model.safetensors` of a ViTPose in Hugging Face's layout.
        flip_test: mean of the heatmaps of each crop and of its mirror image.

    Attributes:
        version: of mmpose.

    Raises:
        MissingDependencyError: mmpose is not set up.
        AnyliftError: it cannot be started, or the weights are no ViTPose that it knows; with the last lines it printed.
    """

    def __init__(self, folder: Path, device: str = "cpu", flip_test: bool = False) -> None:
        require(MMPOSE)
        bridge = Path(str(resources.files("anylift_cli.third_party"))) / MMPOSE.name / "bridge.py"
        command = [MMPOSE.python, bridge, folder.absolute(), device, *(["--flip-test"] if flip_test else [])]
        self._folder = TemporaryDirectory(prefix="anylift-mmpose-", ignore_cleanup_errors=True)
        self._log = Path(self._folder.name) / "log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=environment_of(MMPOSE), cwd=self._folder.name, start_new_session=True,
            )  # fmt: skip
        try:
            self.version = self._receive()["ready"]
        except BaseException:
            self.close()
            raise

    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Network`; points of hands and faces are left out."""
        height, width = image.shape[:2]
        asked = {"height": height, "width": width, "boxes": boxes.tolist()}
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.write(np.ascontiguousarray(image[..., ::-1]).tobytes())
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self._receive()
        points, scores = np.array(answer["points"]), np.array(answer["scores"])
        count = len(layout_of(points.shape[1], "mmpose"))
        return points[:, :count], scores[:, :count]

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def _receive(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise AnyliftError(
                f"mmpose stopped; its last lines:\n{last_lines(self._log)}", f"set it up again: `{MMPOSE.setup}`"
            )
        return json.loads(line)
