"""What passes between stages: one typed dataclass per `.npz` file."""

from anylift_cli.artifacts.base import Artifact, array
from anylift_cli.artifacts.cameras import CamerasArtifact
from anylift_cli.artifacts.keypoints import KeypointsArtifact
from anylift_cli.artifacts.lifted import LiftedArtifact
from anylift_cli.artifacts.motion import MotionArtifact
from anylift_cli.artifacts.objects import ObjectsArtifact

ARTIFACTS: dict[str, type[Artifact]] = {
    kind.schema: kind for kind in (KeypointsArtifact, CamerasArtifact, ObjectsArtifact, LiftedArtifact, MotionArtifact)
}

__all__ = [
    "ARTIFACTS",
    "Artifact",
    "CamerasArtifact",
    "KeypointsArtifact",
    "LiftedArtifact",
    "MotionArtifact",
    "ObjectsArtifact",
    "array",
]
