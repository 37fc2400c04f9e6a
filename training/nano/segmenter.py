"""Trains nano's segmenter from scratch: a Sam2Model of two and a half million weights.

    python -m training.nano.segmenter train --run runs/segmenter --steps 6700 --coco ../shared/data/isaid448/train.json
    python -m training.nano.segmenter export --run runs/segmenter --out t2s_agent/nano/segmenter
    python -m training.nano.segmenter evaluate --model t2s_agent/nano/segmenter --coco ../shared/data/isaid448/test.json

It is trained on its input in the product: one enlarged object, cropped as in `t2s_agent.segmenting.close_up`. The first steps use no
pictures, only prompts with the box as the mask, until the decoder knows positions. Then it uses pictures. A run goes on where it
stopped (run.py). HISTORY.md in this folder says which choices mattered.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Sam2Config, Sam2Model

from evals.metrics.overlap import mask_iou
from evals.questions import CATEGORIES
from t2s_agent.instance import Instance
from t2s_agent.models import Models
from t2s_agent.segmenting.box import BoxSegmenter
from t2s_agent.segmenting.cache import EmbeddingCache
from t2s_agent.segmenting.close_up import CloseUpSegmenter
from t2s_agent.segmenting.sam2 import IMAGENET_MEAN, IMAGENET_STD, Sam2Segmenter
from t2s_agent.segmenting.segmenter import Embedding, Segmenter
from t2s_agent.settings import load_settings
from training.nano import checkpoints, parallel
from training.nano.close_ups import (
    BATCH,
    INPUT_PX,
    TRUTH_PX,
    Pictures,
    box_of,
    draw_batch,
    draw_batch_without_images,
    jitter_box,
)
from training.nano.evaluate import view_of
from training.nano.image_tokens import SIDE
from training.nano.optimizers import cosine, muon_and_adamw, warm_up
from training.nano.pack import coco
from training.nano.run import Run, add_options, launch, plan_of

STATE = "state.pt"  # the file of a run
STEPS_WITHOUT_IMAGES = 2000


def build() -> Sam2Model:
    """Returns a small Sam2Model with a Hiera encoder and fresh weights; images and prompts share one position code."""
    grid = [INPUT_PX // 4, INPUT_PX // 8, INPUT_PX // 16]
    backbone = {
        "hidden_size": 32,
        "image_size": [INPUT_PX, INPUT_PX],
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 2, 3, 2],
        "embed_dim_per_stage": [32, 64, 128, 256],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [8, 4, 12, 6],
        "global_attention_blocks": [4, 7],
        "window_positional_embedding_background_size": [7, 7],
    }
    config = Sam2Config(
        vision_config={
            "backbone_config": {"model_type": "sam2_hiera_det_model", **backbone},
            "backbone_channel_list": [256, 128, 64, 32],
            "backbone_feature_sizes": [[g, g] for g in grid],
            "fpn_hidden_size": 64,
        },
        prompt_encoder_config={"hidden_size": 64, "image_size": INPUT_PX, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": 64,
            "mlp_dim": 256,
            "num_attention_heads": 4,
            "attention_downsample_rate": 1,
            "iou_head_hidden_dim": 64,
            "dynamic_multimask_via_stability": False,
        },
    )
    model = Sam2Model(config)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding):
                module.reset_parameters()
        shared = model.shared_image_embedding.positional_embedding
        model.prompt_encoder.shared_embedding.positional_embedding.copy_(shared)
    return model


def decode(
    model: Sam2Model, embeddings: list[Tensor], boxes: Tensor | None, points: Tensor | None, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns logits (B, h, w) and predicted qualities (B,) for the prompts of a `Batch`."""
    prompts = {"input_boxes": boxes, "input_points": points, "input_labels": labels}
    given = {name: value for name, value in prompts.items() if value is not None}
    out = model(image_embeddings=embeddings, multimask_output=False, **given)
    return out.pred_masks[:, 0, 0], out.iou_scores[:, 0, 0]


def loss_of(logits: Tensor, quality: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the loss (BCE, dice and the error of the predicted quality) and the IoU (M,) of the masks.

    `logits` (M, h, w), `quality` (M,), `truth` (M, TRUTH_PX, TRUTH_PX) in 0..1.
    """
    said = F.interpolate(logits[:, None], size=(TRUTH_PX, TRUTH_PX), mode="bilinear", align_corners=False)[:, 0]
    with torch.no_grad():
        yes, true = said > 0, truth > 0.5
        iou = (yes & true).sum((1, 2)) / (yes | true).sum((1, 2)).clamp(min=1)
    p = said.sigmoid()
    dice = 1 - (2 * (p * truth).sum((1, 2)) + 1) / (p.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(said, truth) + dice.mean() + 0.2 * F.mse_loss(quality, iou), iou


def embed(model: Sam2Model, pixels: Tensor) -> list[Tensor]:
    """Returns feature maps of pixels (B, 3, INPUT_PX, INPUT_PX), the encoder in bfloat16; unlike the class's method, with gradients."""
    with torch.autocast("cpu", torch.bfloat16):
        maps = list(model.get_image_features(pixels, return_dict=True).fpn_hidden_states)
    maps = [m.float() for m in maps]
    maps[-1] = maps[-1] + model.no_memory_embedding
    return [
        m.permute(1, 2, 0).reshape(len(pixels), -1, *size)
        for m, size in zip(maps, model.backbone_feature_sizes, strict=True)
    ]


def train(
    model: Sam2Model,
    pictures: Pictures,
    file: Path,
    plan: Mapping[str, Any],
    *,
    test: Path | None = None,
    minutes: float | None = None,
    save_every: int = 200,
) -> None:
    """Trains for the steps of the `plan`, continuing from `file`; measures on the first images of `test`, or on procedural scenes."""
    model.train()
    peak, steps, blind_steps = plan["peak"], plan["steps"], plan["without_images"]
    parts = (model.vision_encoder.backbone.blocks, model.mask_decoder.transformer)
    inner = [p for part in parts for p in part.parameters() if p.ndim == 2 and min(p.shape) > 1]
    rng = np.random.default_rng([plan["seed"], parallel.rank()])
    run = Run(
        file,
        plan,
        model,
        muon_and_adamw(inner, model, peak=peak, weight_decay=0.01),
        {"drawn": rng, "scenes": pictures},
        measure=lambda: {test.stem if test else "procedural": _measure(model, test)},
        save_every=save_every,
        minutes=minutes,
    )
    for step in run.steps():
        blind = step < blind_steps
        if step == blind_steps > 0:
            _scale_down_encoder(model)
        batch = draw_batch_without_images(rng) if blind else draw_batch(pictures, rng)
        embeddings = _no_embeddings(model) if blind else embed(model, batch.pixels)
        logits, quality = decode(model, embeddings, batch.boxes, batch.points, batch.labels)
        loss, iou = loss_of(logits, quality, batch.truth)
        rate = peak * warm_up(step) * (1.0 if blind else cosine(step, steps))
        run.learn(loss, {"loss": loss.detach(), "IoU": iou.mean()}, rates=[rate] * 2)


def _no_embeddings(model: Sam2Model) -> list[Tensor]:
    return [
        torch.zeros(BATCH, width, *size) for width, size in zip((8, 16, 64), model.backbone_feature_sizes, strict=True)
    ]


def _measure(model: Sam2Model, test: Path | None, count: int = 24) -> dict[str, float]:
    images = _images(test, count) if test else _scenes(10_000_000, count)
    now = Sam2Segmenter(model.eval(), name="now", digest="now", side=INPUT_PX, cache=EmbeddingCache(0))
    mask, box = np.mean([row[2:] for row in measure_objects(CloseUpSegmenter(now), images)], axis=0)
    model.train()
    return {"IoU": mask, "filled box": box}


def _scale_down_encoder(model: Sam2Model) -> None:
    """Makes the untrained encoder's output small before the first pictures, so that it does not hide the positions the decoder knows."""
    with torch.no_grad():
        for conv in (model.mask_decoder.conv_s0, model.mask_decoder.conv_s1):
            conv.weight.mul_(0.1)
        for conv in model.vision_encoder.neck.convs:
            conv.weight.mul_(0.3)


def weights_of(folder: Path) -> dict[str, Tensor]:
    """Returns the segmenter's weights, of a run or of an exported folder."""
    if (folder / STATE).exists():
        return checkpoints.load(folder / STATE).weights
    return Sam2Model.from_pretrained(folder, dtype=torch.float32).state_dict()


def run_process(options: argparse.Namespace) -> None:
    """Runs the training in one process."""
    torch.manual_seed(options.seed)
    model = build()
    if options.start:
        model.load_state_dict(weights_of(options.start))
    train(
        model,
        Pictures(options.coco, options.drawn),
        options.run / STATE,
        plan_of(options),
        test=options.test,
        minutes=options.minutes,
        save_every=options.save_every,
    )


def export(run: Path, out: Path) -> None:
    """Writes a run's weights in the layout of transformers, in bfloat16."""
    model = build()
    model.load_state_dict(weights_of(run))
    out.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(out)  # type: ignore[arg-type]  # a decorator loses the types of `to`
    processor = {
        "image_processor_type": "Sam2ImageProcessorFast",
        "size": {"height": INPUT_PX, "width": INPUT_PX},
        "mask_size": {"height": INPUT_PX // 4, "width": INPUT_PX // 4},
        "image_mean": list(IMAGENET_MEAN),
        "image_std": list(IMAGENET_STD),
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "resample": 2,
        "rescale_factor": 1 / 255,
        "close_up": True,  # for t2s_agent: the model takes one enlarged object at a time
    }
    (out / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")


def _scenes(first: int, count: int) -> Iterator[tuple[NDArray[np.uint8], list[tuple[str, NDArray[np.bool_]]]]]:
    from evals.scenes import draw

    for seed in range(first, first + count):
        scene = draw(seed, size=SIDE)
        yield scene.rgb, [(t.category, scene.mask_of(t)) for t in scene.objects if t.mask.sum() >= 12]


def _images(path: Path, count: int) -> Iterator[tuple[NDArray[np.uint8], list[tuple[str, NDArray[np.bool_]]]]]:
    for labelled, _ in zip(coco(path, only="building" if "building" in path.stem else ""), range(count), strict=False):
        yield labelled.rgb, [(CATEGORIES[category], mask) for category, mask in labelled.objects]


@torch.inference_mode()
def measure_objects(
    segmenter: Segmenter,
    images: Iterator[tuple[NDArray[np.uint8], list[tuple[str, NDArray[np.bool_]]]]],
    *,
    jitter: bool = False,
) -> list[tuple[str, float, float, float]]:
    """Returns for each object: category, size in pixels, IoU of the mask from the true box and two points, IoU of the filled box.

    At most 30 objects an image; each call draws the same.
    """
    rng = np.random.default_rng(5)
    rows: list[tuple[str, float, float, float]] = []
    for rgb, things in images:
        chosen = [things[i] for i in rng.permutation(len(things))[:30]]
        if not chosen:
            continue
        instances = []
        for _, mask in chosen:
            exact = box_of(mask)
            ys, xs = np.nonzero(mask)
            two = rng.integers(len(xs), size=2)
            points = tuple((float(xs[i]) + 0.5, float(ys[i]) + 0.5) for i in two)
            instances.append(Instance(jitter_box(exact, rng) if jitter else exact, points))
        said = segmenter.decode(segmenter.embed([view_of(rgb)])[0], instances).masks
        filled = BoxSegmenter().decode(Embedding("", SIDE, SIDE, {}, 0), instances).masks
        for (category, mask), got, box in zip(chosen, said, filled, strict=True):
            rows.append(
                (
                    category,
                    float(mask.sum()),
                    mask_iou(got.full(*mask.shape), mask),
                    mask_iou(box.full(*mask.shape), mask),
                )
            )
    return rows


def _report(rows: list[tuple[str, float, float, float]]) -> None:
    """Prints means of `measure_objects` by category and size."""
    print(f"{'':24s}{'instances':>10}{'mask':>8}{'box':>8}")
    names = sorted({row[0] for row in rows})
    means = []
    for name in names:
        own = np.array([row[2:] for row in rows if row[0] == name])
        means.append(own.mean(0))
        print(f"{name:24s}{len(own):>10}{own[:, 0].mean():>8.3f}{own[:, 1].mean():>8.3f}")
    every = np.array([row[1:] for row in rows])
    for label, keep in (
        ("under 150 px", every[:, 0] < 150),
        ("150 to 1000 px", (every[:, 0] >= 150) & (every[:, 0] < 1000)),
        ("above 1000 px", every[:, 0] >= 1000),
        ("all instances", every[:, 0] > 0),
    ):
        if keep.any():
            print(f"{label:24s}{keep.sum():>10}{every[keep, 1].mean():>8.3f}{every[keep, 2].mean():>8.3f}")
    print(f"{'mean of classes':24s}{len(names):>10}{np.mean(means, axis=0)[0]:>8.3f}{np.mean(means, axis=0)[1]:>8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    training = verbs.add_parser("train")
    add_options(training, run="runs/segmenter", steps=6700, peak=8e-4, save_every=300)
    training.add_argument(
        "--coco", type=Path, nargs="*", default=[], help="COCO files (or landcover's semantic.json) beside their tars"
    )
    training.add_argument("--drawn", type=float, default=0.5, help="share of procedural scenes, 0..1")
    training.add_argument("--test", type=Path, help="a COCO file to measure on; default: procedural scenes")
    training.add_argument(
        "--without-images",
        type=int,
        help=f"first steps, on prompts alone; default: {STEPS_WITHOUT_IMAGES}, and 0 with --start",
    )
    exporting = verbs.add_parser("export")
    exporting.add_argument("--run", type=Path, default=Path("runs/segmenter"))
    exporting.add_argument("--out", type=Path, required=True)
    evaluating = verbs.add_parser("evaluate")
    evaluating.add_argument("--model", type=Path, required=True, help="an exported folder")
    evaluating.add_argument("--coco", type=Path, help="a COCO file; default: procedural scenes")
    evaluating.add_argument("--count", type=int, default=100, help="images to measure on")
    evaluating.add_argument("--jitter", action="store_true", help="with inexact prompts, as a prompter gives them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.verb == "train":
        if options.without_images is None:
            options.without_images = 0 if options.start else STEPS_WITHOUT_IMAGES
        launch(run_process, options, STATE)
    elif options.verb == "export":
        export(options.run, options.out)
    else:
        segmenter = Models(load_settings(segmenter=str(options.model), device="cpu")).segmenter()
        images = _images(options.coco, options.count) if options.coco else _scenes(10_000_000, options.count)
        _report(measure_objects(segmenter, images, jitter=options.jitter))


if __name__ == "__main__":
    main()
