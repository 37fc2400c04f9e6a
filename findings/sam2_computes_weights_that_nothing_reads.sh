#!/bin/sh
# Each attention layer of transformers' SAM 2 image encoder computes attention weights that nothing reads.
#
# One would guess: with scaled dot product attention (the default) a layer of the encoder computes no weights of its own.
# What happens: each of its layers multiplies queries with keys and takes a softmax, before the heads are put in their place, and
#   drops the result. Replaced by "not a number" everywhere, the output has the same bits; the softmax runs in float32 also in half precision.
# Versions: transformers 5.23.0 with torch 2.13.0.
# Why it matters: encoding the image is most of what SAM 2 costs. Of a small encoder on a CPU (2.5 million weights) this was a tenth of the
#   time; and who reads the code takes it for attention between the wrong axes.
# Where t2s-agent handles it: t2s_agent/segmenting/image_encoder.py runs the built-in model's layers without it.
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
from transformers import Sam2HieraDetConfig, Sam2HieraDetModel
from transformers.models.sam2 import modeling_sam2

print("transformers", transformers.__version__, "torch", torch.__version__)
torch.manual_seed(0)
torch.set_num_threads(1)
config = Sam2HieraDetConfig(
    hidden_size=8, image_size=[128, 128], num_attention_heads=1, blocks_per_stage=[1, 2, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
    num_attention_heads_per_stage=[1, 1, 2, 2], window_size_per_stage=[8, 4, 4, 2], global_attention_blocks=[4],
    window_positional_embedding_background_size=[4, 4],
)
config._attn_implementation = "sdpa"
model = Sam2HieraDetModel(config).eval()
layers = sum(isinstance(each, modeling_sam2.Sam2MultiScaleAttention) for each in model.modules())
pixels = torch.randn(1, 3, 128, 128)
softmax, calls = torch.nn.functional.softmax, 0


def not_a_number(values, *args, **settings):
    global calls
    calls += 1
    return softmax(values, *args, **settings) * float("nan")


with torch.inference_mode():
    before = model(pixels).last_hidden_state
    torch.nn.functional.softmax = not_a_number
    after = model(pixels).last_hidden_state
same = bool(torch.equal(before, after))
print(f"{layers} attention layers, {calls} softmaxes in Python; with each of them replaced by NaN the output is the same: {same}")
sys.exit(0 if same and calls == layers and not after.isnan().any() else "the behaviour has changed")
PY
