"""The stages of the chain as data. A stage's module, with the libraries it needs, is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, LiftedArtifact, MotionArtifact, ObjectsArtifact
from anylift_cli.artifacts.files import content_key, sha256_of
from anylift_cli.body.files import find_body
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.choosing import AUTO, ORDER, best_of
from anylift_cli.errors import UsageError
from anylift_cli.fitting.base import FitOptions
from anylift_cli.foreign.tools import TOOLS, require
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.networks import network_files
from anylift_cli.lifting.base import CHECKPOINT, JointOptions, LiftOptions, is_checkpoint, joint_checkpoint
from anylift_cli.objects.base import BY_SHAPE, ObjectOptions, Prompts
from anylift_cli.pipeline import Source, Stage
from anylift_cli.plugins import backend_names, is_file
from anylift_cli.weights_store import find_weights

LIBRARIES = {
    "mediapipe": "mediapipe",
    "vitpose": "transformers",
    "auto": "pycolmap",
    "moving": "pycolmap",
    "by-shape": "opencv-contrib-python",
    "ball": "opencv-contrib-python",
    "lucas-kanade": "opencv-contrib-python",
}
"""The library whose version decides what one of our own backends makes of its input."""

FILES_INSTEAD = ("anylift.keypoints", "anylift.cameras")
"""Groups in which another tool's results may stand for a backend."""


def keypoints_stage(options: KeypointOptions) -> Stage:
    """video → keypoints; "auto" is the best backend that is here, or the one for the network that is asked for.

    Raises:
        UsageError: no such backend, or a network that it does not have.
        MissingDependencyError: weights, or a program, that are not here.
    """
    if options.backend == AUTO:
        names = ("vitpose",) if options.model is not None or options.flip_test else ()
        return _best("anylift.keypoints", lambda name: keypoints_stage(replace(options, backend=name)), names)
    backend = _backend("anylift.keypoints", options.backend)
    if backend in TOOLS:
        backend = f"{backend} ({require(TOOLS[backend])})"
    weights = {name: sha256_of(file) for name, file in network_files(options).items()}
    if options.local_poses is not None:
        from anylift_cli.body.tracks.read import keys_of_result

        weights |= keys_of_result(Path(options.local_poses))
    from anylift_cli.keypoints.stage import STAGE_VERSION, run_keypoints

    return Stage("keypoints", STAGE_VERSION, KeypointsArtifact, run_keypoints, options, backend, weights)


def cameras_stage(options: CameraOptions) -> Stage:
    """video, keypoints → cameras; "auto" also picks what finds the path of a camera that turns out to move.

    Raises:
        UsageError: no such backend.
        MissingDependencyError: a program that is not set up here.
    """
    backend = _backend("anylift.cameras", options.backend)
    if backend in TOOLS:
        backend = f"{backend} ({require(TOOLS[backend])})"
    choice = ""
    if options.backend == AUTO:
        lens_known = options.focal is not None or options.fov is not None
        names = (CameraOptions.moving,) if lens_known else ORDER["anylift.cameras"]
        moving = _best("anylift.cameras", lambda name: cameras_stage(replace(options, backend=name)), names)
        options, choice = replace(options, moving=moving.options.backend), f"if the camera moves, {moving.choice}"
        backend += f", moving: {moving.backend}" if options.moving != CameraOptions.moving else ""
    from anylift_cli.cameras.stage import STAGE_VERSION, run_cameras

    return Stage("cameras", STAGE_VERSION, CamerasArtifact, run_cameras, options, backend, choice=choice)


def objects_stage(options: ObjectOptions, prompts: Prompts | None = None) -> Stage:
    """video, keypoints, cameras, prompts → objects; "auto" is "by-shape" with the best tracker that is here for all
    that is no ball.

    Without prompts it will not be run.
    """
    backend, choice = _backend("anylift.objects", BY_SHAPE if options.backend == AUTO else options.backend), ""
    if options.backend in TOOLS and prompts is not None and prompts.tracks is None:
        backend = f"{backend} ({require(TOOLS[options.backend])})"
    if options.backend == AUTO:
        others = _best("anylift.objects", lambda name: objects_stage(replace(options, backend=name), prompts))
        options = replace(options, backend=BY_SHAPE, others=others.options.backend)
        choice = f"for all but balls, {others.choice}"
        backend += f", others: {others.backend}" if options.others != ObjectOptions.others else ""
    from anylift_cli.objects.stage import STAGE_VERSION, run_objects

    return Stage("objects", STAGE_VERSION, ObjectsArtifact, run_objects, options, backend, choice=choice)


def prompts_source(prompts: Prompts) -> Source:
    """What a user says of objects, by the content of its files.

    Raises:
        UsageError: a file that is not there.
    """
    for file in prompts.files:
        if not file.is_file():
            raise UsageError(f"{file} does not exist", "check the path")
    return Source.from_files(prompts, prompts.files)


def lift_stage(options: LiftOptions) -> Stage:
    """keypoints, cameras → lifted."""
    if options.lifter == AUTO:
        return _best("anylift.lifters", lambda name: lift_stage(replace(options, lifter=name)))
    weights = _weights(body="open", prior="open")
    backend = "diffusion" if is_checkpoint(options.lifter) else _backend("anylift.lifters", options.lifter)
    if backend == "diffusion":
        weights["network"] = sha256_of(_network_file(options.lifter))
    from anylift_cli.lifting.stage import STAGE_VERSION, run_lift

    return Stage("lift", STAGE_VERSION, LiftedArtifact, run_lift, options, backend, weights)


def lift_with_objects_stage(options: LiftOptions) -> Stage:
    """keypoints, cameras, objects → lifted; with `JointOptions` by a joint network and the one of people."""
    alone = lift_stage(options)
    network = joint_checkpoint(options.joint) if isinstance(options, JointOptions) else None
    weights = {}
    if network is not None:
        weights = {"joint network": sha256_of(network), "network of people": sha256_of(find_weights(CHECKPOINT))}
    from anylift_cli.lifting.stage import run_lift_with_objects

    return replace(alone, function=run_lift_with_objects, weights={**alone.weights, **weights})


def fit_stage(options: FitOptions, *, with_objects: bool = False) -> Stage:
    """lifted, keypoints → motion; lifted, keypoints, objects → motion `with_objects`."""
    weights = _weights(options.body, options.prior)
    from anylift_cli.fitting.stage import STAGE_VERSION, run_fit, run_fit_with_objects

    function = run_fit_with_objects if with_objects else run_fit
    return Stage("fit", STAGE_VERSION, MotionArtifact, function, options, weights=weights)


def _best(group: str, build: Callable[[str], Stage], names: Sequence[str] = ()) -> Stage:
    """The stage of the best backend of a group that is here, or of `names`."""
    choice, stage = best_of(group, names or ORDER[group], LIBRARIES, build)
    return replace(stage, choice=choice.words)


def _network_file(lifter: str) -> Path:
    path = Path(lifter)
    if not is_checkpoint(lifter):
        return find_weights(CHECKPOINT)
    if not path.is_file():
        raise UsageError(f"the checkpoint {path} does not exist", "give a file made by `anylift train`")
    return path


def _weights(body: str, prior: str) -> dict[str, str]:
    from anylift_cli.body.priors import find_prior

    return {"body": sha256_of(find_body(body)), "pose prior": sha256_of(find_prior(prior))}


def _backend(group: str, name: str) -> str:
    """Name and version of a backend, known without loading it; of a file or folder in its place the content."""
    if group in FILES_INSTEAD and is_file(group, name):
        return f"file {content_key(Path(name))[:16]}"
    for entry in entry_points(group=group):
        if entry.name == name:
            if entry.dist is not None and not entry.value.startswith("anylift_cli."):
                return f"{name} ({entry.dist.name} {entry.dist.version})"
            try:
                return f"{name} ({LIBRARIES[name]} {version(LIBRARIES[name])})" if name in LIBRARIES else name
            except PackageNotFoundError:
                return name
    kind = group.removeprefix("anylift.")
    otherwise = f", or give a file with {kind}" if group in FILES_INSTEAD else ""
    raise UsageError(f"unknown {kind} backend '{name}'", f"choose one of: {', '.join(backend_names(group))}{otherwise}")
