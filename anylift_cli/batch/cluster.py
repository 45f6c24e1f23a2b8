"""Workers on a Ray cluster: actors that keep their models from clip to clip, wherever there is room for one.

Only jobs (paths, options) and records go through Ray; videos and results are read and written where they lie.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import ExitStack, redirect_stdout
from typing import Any

from anylift_cli.batch.schedule import Event, Finished, Lost, Ready
from anylift_cli.batch.work import Job, Record, lift_clip, prepare
from anylift_cli.errors import AnyliftError, MissingDependencyError
from anylift_cli.warm import Shelf

_LOOK = 5.0
"""Seconds between two looks at how large the cluster is."""


class Lifter:
    """What runs in an actor."""

    def __init__(self, folder: str) -> None:
        if os.path.isdir(folder):
            os.chdir(folder)
        self._shelf = Shelf()

    def ready(self) -> None:
        """Answers once the actor has a place and can begin."""
        prepare()

    def lift(self, job: Job) -> Record:
        """See `batch.work.lift_clip`."""
        with self._shelf.in_use():
            return lift_clip(job)


class Cluster:
    """A crew of actors: as many as the cluster has room for now, at most `most`.

    Machines that join are used; the actors of machines that are lost are started elsewhere when there is work.

    Args:
        address: "auto" for the cluster that this machine belongs to, an address, or "local" to start one here.
        most: actors at most; None for all that fit.
        cpus, gpus: that each actor holds; parts of a GPU are shared.

    Raises:
        MissingDependencyError: Ray is not installed.
        AnyliftError: the cluster cannot be reached, or no machine in it can hold an actor.
    """

    def __init__(self, address: str, most: int | None, cpus: float, gpus: float) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError("Ray is not installed", "pip install 'anylift-cli[ray]'") from error
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise AnyliftError(
                f"the Ray cluster {address} cannot be reached: {' '.join(str(error).split())}",
                "start one with `ray start --head`, or give --ray local",
            ) from error
        self._ray, self._most, self._need = ray, most, {"CPU": cpus, "GPU": gpus}
        self._actor = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0)(Lifter)
        self._actors: dict[int, Any] = {}
        self._pending: dict[Any, int] = {}
        self._next, self._room, self._look = 1, 0, 0.0
        if self._count_room() == 0:
            ray.shutdown()
            raise AnyliftError(
                f"no machine of the Ray cluster has {cpus:g} CPUs and {gpus:g} GPUs",
                "give less with --ray-cpus, --ray-gpus",
            )
        # Ray tells of lost workers on stdout, which belongs to the batch's own results
        self._aside = ExitStack()
        self._aside.enter_context(redirect_stdout(sys.stderr))

    def grow(self, wanted: int) -> None:
        if time.monotonic() >= self._look:
            self._room, self._look = self._count_room(), time.monotonic() + _LOOK
        most = self._room if self._most is None else min(self._room, self._most)
        while len(self._actors) < min(wanted, most):
            number, self._next = self._next, self._next + 1
            actor = self._actor.remote(os.getcwd())
            self._actors[number] = actor
            self._pending[actor.ready.remote()] = number

    def give(self, worker: int, job: Job) -> None:
        self._pending[self._actors[worker].lift.remote(job)] = worker

    def wait(self, seconds: float) -> list[Event]:
        if not self._pending:
            time.sleep(seconds)
            return []
        done, _ = self._ray.wait(list(self._pending), num_returns=1, timeout=seconds)
        return [self._event(reference) for reference in done]

    def dismiss(self, worker: int) -> None:
        self._ray.kill(self._actors.pop(worker))
        self._pending = {reference: number for reference, number in self._pending.items() if number != worker}

    def close(self) -> None:
        for worker in list(self._actors):
            self.dismiss(worker)
        self._ray.shutdown()
        self._aside.close()

    def _event(self, reference: Any) -> Event:
        worker = self._pending.pop(reference)
        try:
            record = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self.dismiss(worker)
            return Lost(worker, " ".join(str(error).split()))
        return Ready(worker) if record is None else Finished(worker, record)

    def _count_room(self) -> int:
        """How many actors fit on the machines that are there."""
        room = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                has = node["Resources"]
                room += min(int(has.get(kind, 0) // need) for kind, need in self._need.items() if need > 0)
        return room
