"""Finds people with a detector of transformers: RT-DETR or D-FINE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModelForObjectDetection
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil
from transformers.utils.logging import disable_progress_bar

from anylift_cli.errors import AnyliftError

disable_progress_bar()

CERTAIN = 0.3
"""Score from which a box may be a person; the pose tells whether it is."""


class PersonDetector:
    """A detector in Hugging Face's layout; single precision, because half of it moves boxes by pixels.

    Args:
        folder: holds `config.json`, `preprocessor_config.json` and `model.safetensors`.

    Raises:
        AnyliftError: damaged files, or a detector that knows no people.
    """

    def __init__(self, folder: Path, device: str) -> None:
        try:
            self._processor = RTDetrImageProcessorPil.from_pretrained(folder, local_files_only=True)
            model = AutoModelForObjectDetection.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise AnyliftError(f"{folder} holds no person detector: {error}", "`anylift weights verify`") from error
        self._model = model.eval().to(device)
        self._person = [index for index, label in model.config.id2label.items() if label.lower() == "person"]
        if not self._person:
            raise AnyliftError(f"{folder}: this detector knows no label 'person'", "`anylift weights fetch rtdetr`")

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(N, 4) boxes of people, xyxy px within the image, most certain first."""
        inputs = self._processor(image, return_tensors="pt").to(self._model.device)
        found = self._processor.post_process_object_detection(
            self._model(**inputs), threshold=CERTAIN, target_sizes=[image.shape[:2]]
        )[0]
        people = np.isin(found["labels"].cpu().numpy(), self._person)
        order = np.argsort(-found["scores"].cpu().numpy()[people], kind="stable")
        boxes = found["boxes"].cpu().numpy()[people][order].astype(np.float64)
        return np.clip(boxes, 0, np.tile(image.shape[1::-1], 2))
