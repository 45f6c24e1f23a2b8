"""ViTPose of mmpose, in mmpose's own environment, for anylift's backend `vitpose-mmpose`.

    python bridge.py NETWORK DEVICE [--flip-test]

NETWORK: folder of a ViTPose in Hugging Face's layout (config.json, model.safetensors); its weights are renamed to
mmpose's layout. What mmpose prints goes to stderr. On stdin come, for each image, a line of JSON and the pixels:

    {"height": H, "width": W, "boxes": [[left, top, right, bottom], ...]}   then H*W*3 bytes, BGR

and on stdout goes a line of JSON: {"points": (N, K, 2), "scores": (N, K)}; the first one, before any image, is
{"ready": "mmpose 1.3.2"}.
"""

import argparse
import json
import os
import sys
from importlib import resources
from pathlib import Path
from types import ModuleType

CONFIGS = "topdown_heatmap/coco/td-hm_ViTPose-base{}_8xb64-210e_coco-256x192.py"
WHOLEBODY = "configs/_base_/datasets/coco_wholebody.py"
UNUSED = {
    "mmcv.ops": ("MultiScaleDeformableAttention", "DeformConv2d", "ModulatedDeformConv2d"),
    "mmdet": (),
    "mmdet.utils": ("ConfigType", "reduce_mean"),
}
"""Names that mmpose imports for EDPose, DEKR, PoseWarper and RTMO, which are not run here."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network", type=Path)
    parser.add_argument("device")
    parser.add_argument("--flip-test", action="store_true")
    options = parser.parse_args()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    make_importable()
    import mmpose

    model = load(options.network, options.device, options.flip_test)
    print(json.dumps({"ready": f"mmpose {mmpose.__version__}"}), file=replies)
    for line in sys.stdin.buffer:
        print(json.dumps(answer(model, json.loads(line))), file=replies)


def make_importable():
    """Put names in the place of what mmcv-lite lacks, so that mmpose can be imported."""
    for module, names in UNUSED.items():
        sys.modules[module] = ModuleType(module)
        vars(sys.modules[module]).update(dict.fromkeys(names))


def load(folder, device, flip_test):
    """mmpose's model with the weights of a folder in Hugging Face's layout."""
    from mmengine.config import Config
    from mmpose.apis import init_model
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from safetensors.torch import load_file

    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    backbone = told["backbone_config"]
    if backbone.get("num_experts", 1) > 1:
        sys.exit("mmpose has no mixture of experts: give a ViTPose, not a ViTPose+")
    stored = load_file(folder / "model.safetensors")
    simple = "head.deconv1.weight" not in stored
    points = len(stored["head.conv.bias"])
    width = stored["backbone.layernorm.weight"].shape[0]
    hidden = stored["backbone.encoder.layer.0.mlp.fc1.bias"].shape[0]
    layers = 1 + max(int(name.split(".")[3]) for name in stored if name.startswith("backbone.encoder.layer."))

    package = Path(str(resources.files("mmpose"))) / ".mim"
    config = Config.fromfile(package / "configs/body_2d_keypoint" / CONFIGS.format("-simple" if simple else ""))
    config.model.backbone.init_cfg = None
    config.model.backbone.arch = {
        "embed_dims": width, "num_layers": layers, "num_heads": backbone.get("num_attention_heads", 12),
        "feedforward_channels": hidden,
    }
    config.model.head.in_channels = width
    config.model.head.out_channels = points
    config.model.test_cfg.flip_test = flip_test
    model = init_model(config, None, device=device)
    if points == 133:
        model.dataset_meta = parse_pose_metainfo({"from_file": str(package / WHOLEBODY)})
    model.load_state_dict(renamed(stored, layers))
    return model


def renamed(stored, layers):
    """Weights of transformers' VitPoseForPoseEstimation under the names of mmpose's TopdownPoseEstimator."""
    import torch

    position = stored["backbone.embeddings.position_embeddings"]
    weights = {"backbone.pos_embed": position[:, 1:] + position[:, :1]}

    def move(source, target):
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            if f"{source}.{name}" in stored:
                weights[f"{target}.{name}"] = stored[f"{source}.{name}"]

    move("backbone.embeddings.patch_embeddings.projection", "backbone.patch_embed.projection")
    move("backbone.layernorm", "backbone.ln1")
    for index in range(layers):
        source, target = f"backbone.encoder.layer.{index}", f"backbone.layers.{index}"
        move(f"{source}.layernorm_before", f"{target}.ln1")
        move(f"{source}.layernorm_after", f"{target}.ln2")
        move(f"{source}.attention.output.dense", f"{target}.attn.proj")
        move(f"{source}.mlp.fc1", f"{target}.ffn.layers.0.0")
        move(f"{source}.mlp.fc2", f"{target}.ffn.layers.1")
        for name in ("weight", "bias"):
            parts = [stored[f"{source}.attention.attention.{part}.{name}"] for part in ("query", "key", "value")]
            weights[f"{target}.attn.qkv.{name}"] = torch.cat(parts)
    for source, target in (("deconv1", "0"), ("batchnorm1", "1"), ("deconv2", "3"), ("batchnorm2", "4")):
        move(f"head.{source}", f"head.deconv_layers.{target}")
    move("head.conv", "head.final_layer")
    return weights


def answer(model, asked):
    """Points and scores of the people in the boxes of one image."""
    import numpy as np
    from mmpose.apis import inference_topdown

    height, width = asked["height"], asked["width"]
    pixels = sys.stdin.buffer.read(height * width * 3)
    image = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
    people = inference_topdown(model, image, np.array(asked["boxes"], np.float32), bbox_format="xyxy")
    return {
        "points": [one.pred_instances.keypoints[0].tolist() for one in people],
        "scores": [one.pred_instances.keypoint_scores[0].tolist() for one in people],
    }


if __name__ == "__main__":
    main()
