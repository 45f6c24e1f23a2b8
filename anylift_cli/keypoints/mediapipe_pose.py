"""MediaPipe Pose (BlazePose GHUM full, inside the mediapipe wheel), one region at a time.

`mp.solutions.pose` follows one person and decides itself when to jump to another. Here its two halves, the person
detector and the landmark model, are run apart, so that the tracker decides who is looked for where.
MediaPipe's own landmark smoothing is left out: on fast motion it lags 0.2 to 0.3 frames (ankles and wrists of a
footballer and a runner end up 2 to 3 % of the body's height behind), for a third less jitter.
Source: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking", 2020.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue

import numpy as np

from anylift_cli.body.skeleton import BODY24, LEFT_HIP, RIGHT_HIP, K
from anylift_cli.keypoints.base import KeypointOptions, Pose, Region, check_no_model
from anylift_cli.keypoints.regions import is_outside
from anylift_cli.video import Frame


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what native code prints on file descriptor 2: MediaPipe's start-up messages obey no log level."""
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


with _quiet_stderr():
    import mediapipe
    from mediapipe.framework.formats import rect_pb2
    from mediapipe.python.solution_base import PacketDataType, SolutionBase

warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype", category=UserWarning)

_DETECTOR_GRAPH = """
input_stream: "IMAGE:image"
output_stream: "DETECTIONS:detections"
node {
  calculator: "PoseDetectionCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}
"""
_LANDMARK_GRAPH = """
input_stream: "IMAGE:image"
input_stream: "ROI:region"
output_stream: "LANDMARKS:landmarks"
output_stream: "AUXILIARY_LANDMARKS:alignment"
output_stream: "WORLD_LANDMARKS:world"
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "AUXILIARY_LANDMARKS:alignment"
  output_stream: "WORLD_LANDMARKS:world"
}
"""

BODY24_FROM_BLAZEPOSE = {
    "nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8,
    "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13, "right_elbow": 14, "left_wrist": 15,
    "right_wrist": 16, "left_hip": 23, "right_hip": 24, "left_knee": 25, "right_knee": 26, "left_ankle": 27,
    "right_ankle": 28, "left_heel": 29, "right_heel": 30, "left_big_toe": 31, "right_big_toe": 32,
}  # fmt: skip
"""Index of each `body24` point among BlazePose's 33. The neck is a mean, small toes are not observed."""

WORKERS = 2
"""Threads that estimate people."""

_TARGET = [K[name] for name in BODY24_FROM_BLAZEPOSE]
_SOURCE = list(BODY24_FROM_BLAZEPOSE.values())
_SHOULDERS = [K["left_shoulder"], K["right_shoulder"]]
_REGION_MARGIN = 1.25


class MediaPipePose:
    """Person detector and 33 landmarks (mapped to `body24`) with 3D points, on the CPU.

    Confidence is MediaPipe's visibility times presence. `local_joints` are its world landmarks: their axes are those
    of the image (x right, y down, z away from the camera), checked in the tests against a person of known pose.
    """

    def __init__(self, options: KeypointOptions) -> None:
        check_no_model(options, "mediapipe")
        self.name = f"mediapipe {mediapipe.__version__} pose full"
        with _quiet_stderr():
            self._detector = SolutionBase(
                graph_config=_DETECTOR_GRAPH,
                stream_type_hints={"image": PacketDataType.IMAGE, "detections": PacketDataType.PROTO_LIST},
            )
            self._landmarks = [
                SolutionBase(
                    graph_config=_LANDMARK_GRAPH,
                    stream_type_hints={"image": PacketDataType.IMAGE_FRAME, "region": PacketDataType.PROTO},
                )
                for _ in range(WORKERS)
            ]
            self._pool = ThreadPoolExecutor(WORKERS)
            self._idle: SimpleQueue[SolutionBase] = SimpleQueue()
            for graph in self._landmarks:
                self._idle.put(graph)
            blank = Frame(0, 0.0, np.zeros((256, 256, 3), np.uint8))
            self.find(blank, (0, 0, 256, 256))
            self.estimate(blank, [Region(128, 128, 256)] * WORKERS)

    def find(self, frame: Frame, tile: tuple[int, int, int, int]) -> list[Region]:
        left, top, right, bottom = tile
        image = np.ascontiguousarray(frame.image[top:bottom, left:right])
        height, width = image.shape[:2]
        found = self._detector.process({"image": image}).detections or []
        regions = []
        for detection in sorted(found, key=lambda d: -d.score[0]):
            hip, reach = detection.location_data.relative_keypoints[:2]
            region = _aligned_region(hip, reach, width, height)
            regions.append(replace(region, x=region.x + left, y=region.y + top))
        return regions

    def estimate(self, frame: Frame, regions: Sequence[Region]) -> list[Pose | None]:
        return list(self._pool.map(lambda region: self._estimate_one(frame, region), regions))

    def close(self) -> None:
        self._pool.shutdown()
        self._detector.close()
        for graph in self._landmarks:
            graph.close()

    def _estimate_one(self, frame: Frame, region: Region) -> Pose | None:
        height, width = frame.image.shape[:2]
        rect = rect_pb2.NormalizedRect(
            x_center=region.x / width,
            y_center=region.y / height,
            width=region.size / width,
            height=region.size / height,
            rotation=region.rotation,
        )
        graph = self._idle.get()
        try:
            result = graph.process({"image": frame.image, "region": rect})
        finally:
            self._idle.put(graph)
        if result.landmarks is None:
            return None
        landmarks = np.array([(p.x, p.y, p.visibility * p.presence) for p in result.landmarks.landmark])
        world = np.array([(p.x, p.y, p.z) for p in result.world.landmark])
        return to_body24(
            landmarks[:, :2] * (width, height),
            landmarks[:, 2],
            world,
            _aligned_region(*result.alignment.landmark[:2], width, height),
            (width, height),
        )


def to_body24(
    landmarks: np.ndarray, visibility: np.ndarray, world: np.ndarray, region: Region, image_size: tuple[int, int]
) -> Pose:
    """BlazePose's points as `body24`.

    Args:
        landmarks: (33, 2) px.
        visibility: (33,) 0..1.
        world: (33, 3) m.
        region: where to look for the person next.
        image_size: width, height; points that lie clearly outside are unobserved.
    """
    points = np.full((len(BODY24), 2), np.nan, np.float32)
    confidence = np.zeros(len(BODY24), np.float32)
    local_joints = np.full((len(BODY24), 3), np.nan, np.float32)
    points[_TARGET] = landmarks[_SOURCE]
    confidence[_TARGET] = visibility[_SOURCE]
    local_joints[_TARGET] = world[_SOURCE]
    local_joints -= local_joints[[LEFT_HIP, RIGHT_HIP]].mean(axis=0)

    confidence[is_outside(points, region.size, image_size)] = 0

    points[K["neck"]] = points[_SHOULDERS].mean(axis=0)
    confidence[K["neck"]] = confidence[_SHOULDERS].min()
    local_joints[K["neck"]] = local_joints[_SHOULDERS].mean(axis=0)

    points[confidence == 0] = np.nan
    local_joints[confidence == 0] = np.nan
    return Pose(points, confidence, local_joints, region)


def _aligned_region(hip, reach, width: int, height: int) -> Region:
    """BlazePose's region of interest: centred on the mid hip, turned so that mid hip to `reach` points up."""
    x, y = hip.x * width, hip.y * height
    dx, dy = reach.x * width - x, reach.y * height - y
    return Region(x, y, 2 * _REGION_MARGIN * float(np.hypot(dx, dy)), float(np.pi / 2 - np.arctan2(-dy, dx)))
