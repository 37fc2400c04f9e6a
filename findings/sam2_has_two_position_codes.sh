#!/bin/sh
# A new SAM 2 of transformers writes the places of pixels and of clicks in two unrelated random codes.
#
# One would guess: as in SAM and in Meta's SAM 2, one random code turns places into vectors, for the pixels and for the prompts, so
#   that a click has the vector of the pixel below it. SamModel ties the two (`_tied_weights_keys`).
# What happens: Sam2Model(config) draws the code twice and does not tie them. Both are buffers, not parameters: training changes
#   neither, and save_pretrained and from_pretrained keep the difference. Published checkpoints hold the same code twice, so nobody
#   who starts from one sees it. There is no warning. (Sam2VideoModel, Sam3TrackerModel and EdgeTamModel tie nothing either.)
# Versions: transformers 5.23.0, torch 2.13.0.
# Why it matters: in a small SAM 2 trained from scratch for a sensor or a device, the vector of a click says nothing about the pixel
#   that was clicked: by dot product it hardly ever finds that pixel, where it should always find it. The decoder must learn the
#   relation that the design gives for nothing.
# Where t2s-agent handles it: training/nano/segmenter.py copies one code over the other before it trains; tests/test_nano.py checks
#   the shipped model.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "transformers==5.23.0" "torch==2.13.0" "numpy==2.2.6"
venv/bin/python -W ignore - <<'PY'
import sys

import torch
import transformers
from transformers import Sam2Config, Sam2Model, SamConfig, SamModel

print("transformers", transformers.__version__, "torch", torch.__version__)
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.manual_seed(0)
torch.set_num_threads(1)
side, grid = 256, 16
prompt = {"hidden_size": 32, "image_size": side, "patch_size": side // grid}
decoder = {"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32}
sam = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": side, "output_channels": 32}
trunk = {
    "model_type": "sam2_hiera_det_model", "hidden_size": 8, "image_size": [side, side], "num_attention_heads": 1,
    "blocks_per_stage": [1, 2, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 2, 2],
    "window_size_per_stage": [4, 4, 4, 4], "global_attention_blocks": [2, 4], "window_positional_embedding_background_size": [7, 7],
}
sam2 = {
    "backbone_config": trunk, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 32,
    "backbone_feature_sizes": [[side // n, side // n] for n in (4, 8, 16)],
}


def found(model):
    """The share of clicks in the middle of a feature's pixels whose vector is most like the vector of that pixel."""
    pixels = model.get_image_wide_positional_embeddings()[0].flatten(1).T  # (16 * 16, 32), rows first
    middle = torch.arange(side / grid / 2, side, side / grid)
    clicks = torch.stack([middle.repeat(grid), middle.repeat_interleave(grid)], -1)  # (256, 2), x and y
    vectors = model.prompt_encoder.shared_embedding(clicks[None, None], (side, side))[0, 0]
    return ((vectors @ pixels.T).argmax(-1) == torch.arange(grid * grid)).float().mean().item()


def same(model):
    return torch.equal(model.shared_image_embedding.positional_embedding, model.prompt_encoder.shared_embedding.positional_embedding)


first = SamModel(SamConfig(vision_config=sam, prompt_encoder_config=prompt, mask_decoder_config=decoder)).eval()
second = Sam2Model(Sam2Config(vision_config=sam2, prompt_encoder_config=prompt, mask_decoder_config=decoder)).eval()
second.save_pretrained("saved")
third = Sam2Model.from_pretrained("saved").eval()
seen = {"SamModel": first, "Sam2Model": second, "Sam2Model, saved and opened": third}
with torch.no_grad():
    for name, model in seen.items():
        print(f"{name}: one code {same(model)}, clicks that find their pixel {found(model):.1%} (chance: {1 / grid**2:.1%})")
    as_found = same(first) and found(first) == 1 and not same(second) and not same(third) and found(second) < 0.05
    trained = [name for name, _ in second.named_parameters() if "positional_embedding" in name and "shared" in name]
    print("codes among the parameters of Sam2Model:", trained)
    middle = second.shared_image_embedding.positional_embedding
    second.prompt_encoder.shared_embedding.positional_embedding.copy_(middle)
    print(f"after copying one over the other: {found(second):.0%}")
    as_found = as_found and found(second) == 1 and not trained
sys.exit(0 if as_found else "the behaviour has changed")
PY
