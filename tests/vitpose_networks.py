"""Networks of transformers' own classes for tests: random ones, and ones whose weights are set by hand.

The hand-made ViTPose sees dots (`dots.py`). The hand-made detectors find one person, always at one place, whatever is
in the picture.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from dots import CONTRAST, GREY, colours_of
from transformers import (
    DFineConfig,
    DFineForObjectDetection,
    HGNetV2Config,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LARGE = 300.0
"""Beside it the signal hardly changes a token's norm, so that the layer norm is a factor."""
PROCESSOR = {
    "do_affine_transform": True, "do_normalize": True, "do_rescale": True, "image_mean": MEAN,
    "image_processor_type": "VitPoseImageProcessor", "image_std": STD, "normalize_factor": 200.0,
    "rescale_factor": 1 / 255, "size": {"height": 256, "width": 192},
}  # fmt: skip
"""As in the published folders."""
_SMALL = {
    "encoder_in_channels": [8, 8, 8], "encoder_hidden_dim": 16, "encoder_ffn_dim": 16, "encoder_attention_heads": 2,
    "d_model": 16, "decoder_in_channels": [16, 16, 16], "decoder_ffn_dim": 16, "decoder_attention_heads": 2,
    "num_queries": 1, "num_denoising": 0, "id2label": {0: "person", 1: "cat"}, "label2id": {"person": 0, "cat": 1},
}  # fmt: skip
"""A detector's size."""


def random_network(folder: Path, points: int = 17, *, simple: bool = True, experts: int = 1) -> Path:
    """A small ViTPose with random weights, every one of them unlike 0 and 1."""
    torch.manual_seed(points)
    backbone = VitPoseBackboneConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=4, mlp_ratio=2, num_experts=experts, part_features=12,
        out_indices=[2],
    )  # fmt: skip
    model = VitPoseForPoseEstimation(_config(backbone, points, simple))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return save(model, folder, PROCESSOR)


def dot_network(folder: Path, points: int = 17, threshold: float = 0.5) -> Path:
    """A ViTPose whose heatmap k is 1 where a dot of colour k is, and 0 where the likeness is below `threshold`.

    It takes what is around 4h - 0.5 px of the crop for what is at place h of the heatmap; `seen_at` tells what this
    does to points.
    """
    backbone = VitPoseBackboneConfig(
        hidden_size=98, num_hidden_layers=1, num_attention_heads=1, mlp_ratio=1, out_indices=[1]
    )
    model = VitPoseForPoseEstimation(_config(backbone, points, simple=False)).eval()
    colours = torch.tensor(colours_of(points), dtype=torch.float32)
    slope = 255 * torch.tensor(STD) / CONTRAST
    offset = (255 * torch.tensor(MEAN) - GREY) / CONTRAST
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
        patch, head = model.backbone.embeddings.patch_embeddings.projection, model.head
        for row, column, channel in np.ndindex(4, 4, 3):
            signal = (row * 4 + column) * 3 + channel
            inner = (row % 2 * 2 + column % 2) * 3 + channel
            for sign, target in ((1, signal), (-1, signal + 48)):
                place = patch.weight[target, channel, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
                place.fill_(sign * slope[channel] / 16)
                patch.bias[target] = sign * offset[channel]
            head.deconv1.weight[signal, inner, row // 2 + 1, column // 2 + 1] = 1
            head.deconv2.weight[inner, :points, row % 2 + 1, column % 2 + 1] = colours[:, channel]
        patch.bias[96:98] = torch.tensor([_LARGE, -_LARGE])
        model.backbone.layernorm.weight.fill_(_LARGE * (2 / 98) ** 0.5)
        head.batchnorm1.bias[:12] = 2
        head.batchnorm2.running_mean[:points] = 2 * colours.sum(1) + threshold
        head.batchnorm2.weight.fill_(1 / (1 - threshold))
        head.conv.weight[:, :points, 0, 0] = torch.eye(points)
    return save(model, folder, PROCESSOR)


def one_person_detector(
    folder: Path, box: tuple[float, float, float, float] = (0.5, 0.5, 0.98, 0.98), kind: str = "rtdetr"
) -> Path:
    """An RT-DETR or a D-FINE that finds one person, always at `box` (centre, width, height; fractions of the image)."""
    torch.manual_seed(0)
    model = (_dfine() if kind == "dfine" else _rtdetr()).eval()
    decoder = model.model.decoder
    if kind == "dfine":
        places = decoder.pre_bbox_head.layers[-1]
        silent = [head.layers[-1] for head in (*decoder.bbox_embed, *(lqe.reg_conf for lqe in decoder.lqe_layers))]
    else:
        places, silent = decoder.bbox_embed[0].layers[-1], []
    with torch.no_grad():
        for layer in (places, *silent, *decoder.class_embed, model.model.enc_score_head):
            layer.weight.zero_()
            layer.bias.zero_()
        decoder.class_embed[-1].bias.copy_(torch.tensor([3.0, -9.0]))
        anchor = model(torch.zeros(1, 3, 128, 128)).pred_boxes[0, 0]
        places.bias.copy_(torch.logit(torch.tensor(box)) - torch.logit(anchor))
    return save(model, folder, {"image_processor_type": "RTDetrImageProcessor", "size": {"height": 128, "width": 128}})


def _rtdetr() -> RTDetrForObjectDetection:
    resnet = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic", out_indices=[2, 3, 4]
    )
    return RTDetrForObjectDetection(RTDetrConfig(backbone_config=resnet, decoder_layers=1, **_SMALL))


def _dfine() -> DFineForObjectDetection:
    hgnet = HGNetV2Config(
        embedding_size=8, stem_channels=[3, 8, 8], hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1],
        stage_in_channels=[8, 8, 8, 8], stage_mid_channels=[8, 8, 8, 8], stage_out_channels=[8, 8, 8, 8],
        stage_num_blocks=[1, 1, 1, 1], stage_numb_of_layers=[1, 1, 1, 1], out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    return DFineForObjectDetection(
        DFineConfig(backbone_config=hgnet, decoder_layers=2, decoder_n_points=[2, 2, 2], **_SMALL)
    )


def save(model: torch.nn.Module, folder: Path, processor: dict) -> Path:
    """A folder as on Hugging Face."""
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def _config(backbone: VitPoseBackboneConfig, points: int, simple: bool) -> VitPoseConfig:
    return VitPoseConfig(backbone_config=backbone, num_labels=points, use_simple_decoder=simple)
