"""Trains nano's segmenter from scratch: a Sam2Model of two and a half million weights.

    python -m training.nano.segmenter train --run runs/segmenter --minutes 90 --coco ../shared/data/isaid448/train.json
    python -m training.nano.segmenter export --run runs/segmenter --out t2s_agent/nano/segmenter
    python -m training.nano.segmenter evaluate --model t2s_agent/nano/segmenter --coco ../shared/data/isaid448/test.json

It is trained on its input in the product: one enlarged object, cropped as in `t2s_agent.segmenting.close_up`. The first minutes use no
pictures, only prompts with the box as the mask, until the decoder knows positions. Then it uses pictures. A run continues where it
stopped. HISTORY.md in this folder says which choices mattered.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

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
from training.nano.pack import coco

MINUTES_WITHOUT_IMAGES = 3.0  # training time without images


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


def optimizers_of(model: Sam2Model, peak: float) -> list[torch.optim.Optimizer]:
    """Returns Muon for the matrices of the encoder's blocks and of the decoder's attention, AdamW for all other weights."""
    parts = (model.vision_encoder.backbone.blocks, model.mask_decoder.transformer)
    inner = [p for part in parts for p in part.parameters() if p.ndim == 2 and min(p.shape) > 1]
    ids = {id(p) for p in inner}
    outer = [p for p in model.parameters() if id(p) not in ids]
    return [
        torch.optim.Muon(inner, lr=peak, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=peak, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def train(
    run: Path,
    cocos: list[Path],
    *,
    minutes: float,
    drawn_share: float,
    peak: float = 8e-4,
    start: Path | None = None,
    test: Path | None = None,
) -> None:
    """Trains for `minutes` from the state in `run`, else from the weights in `start`, else from scratch.

    Prints a line a minute. Every five minutes saves and measures on the first images of `test`, by default on procedural scenes.
    """
    torch.manual_seed(0)
    model = build()
    if start:
        model.load_state_dict(Sam2Model.from_pretrained(start, dtype=torch.float32).state_dict())
    optimizers = optimizers_of(model, peak)
    rng, step, trained = np.random.default_rng(0), 0, MINUTES_WITHOUT_IMAGES if start else 0.0
    state = run / "state.pt"
    if state.exists():
        held = torch.load(state, weights_only=False)
        model.load_state_dict(held["model"])
        for optimizer, each in zip(optimizers, held["optimizers"], strict=True):
            optimizer.load_state_dict(each)
        rng.bit_generator.state, step, trained = held["rng"], held["step"], held["minutes"]
    model.train()
    pictures = Pictures(cocos, drawn_share)
    started = said = saved = time.monotonic()
    before, sums = trained, []
    while (spent := (time.monotonic() - started) / 60) < minutes:
        was_blind = trained < MINUTES_WITHOUT_IMAGES
        trained = before + spent
        blind = trained < MINUTES_WITHOUT_IMAGES
        if was_blind and not blind:
            _scale_down_encoder(model)
        rate = (
            peak
            * min(1.0, (step + 1) / 100)
            * (1.0 if blind else max(0.03, 0.5 * (1 + np.cos(np.pi * spent / minutes))))
        )
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        batch = draw_batch_without_images(rng) if blind else draw_batch(pictures, rng)
        if blind:
            sizes = zip((8, 16, 64), model.backbone_feature_sizes, strict=True)
            embeddings = [torch.zeros(BATCH, width, *size) for width, size in sizes]
        else:
            embeddings = embed(model, batch.pixels)
        logits, quality = decode(model, embeddings, batch.boxes, batch.points, batch.labels)
        loss, iou = loss_of(logits, quality, batch.truth)
        model.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        sums.append((float(loss.detach()), float(iou.mean())))
        now = time.monotonic()
        if now - said > 60:
            mean = np.mean(sums, axis=0)
            print(
                f"{trained:6.1f} min  step {step}  {'blind ' if blind else ''}loss {mean[0]:.3f}  IoU {mean[1]:.3f}",
                flush=True,
            )
            sums, said = [], now
        if now - saved > 300:
            _save(state, model, optimizers, rng, step, trained)
            _test(model, test)
            saved = time.monotonic()
    _save(state, model, optimizers, rng, step, trained)
    _test(model, test)


def _test(model: Sam2Model, test: Path | None, count: int = 24) -> None:
    images = _images(test, count) if test else _scenes(10_000_000, count)
    now = Sam2Segmenter(model.eval(), name="now", digest="now", side=INPUT_PX, cache=EmbeddingCache(0))
    mask, box = np.mean([row[2:] for row in measure_objects(CloseUpSegmenter(now), images)], axis=0)
    model.train()
    print(f"        test  IoU {mask:.3f}  filled box {box:.3f}", flush=True)


def _scale_down_encoder(model: Sam2Model) -> None:
    """Makes the untrained encoder's output small before the first pictures, so that it does not hide the positions the decoder knows."""
    with torch.no_grad():
        for conv in (model.mask_decoder.conv_s0, model.mask_decoder.conv_s1):
            conv.weight.mul_(0.1)
        for conv in model.vision_encoder.neck.convs:
            conv.weight.mul_(0.3)


def _save(
    state: Path,
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    rng: np.random.Generator,
    step: int,
    minutes: float,
) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    held = {
        "model": model.state_dict(),
        "optimizers": [each.state_dict() for each in optimizers],
        "rng": rng.bit_generator.state,
        "step": step,
        "minutes": minutes,
    }
    fresh = state.with_suffix(".new")
    torch.save(held, fresh)
    fresh.replace(state)


def export(run: Path, out: Path) -> None:
    """Writes a run's weights in the layout of transformers, in bfloat16."""
    model = build()
    model.load_state_dict(torch.load(run / "state.pt", weights_only=False)["model"])
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
    parser.add_argument("verb", choices=["train", "export", "evaluate"])
    parser.add_argument("--run", type=Path, default=Path("runs/segmenter"))
    parser.add_argument(
        "--coco",
        type=Path,
        nargs="*",
        default=[],
        help="COCO files (or landcover's semantic.json) beside their tars, to train or measure on",
    )
    parser.add_argument("--drawn", type=float, default=0.5, help="share of procedural scenes in training, 0..1")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--peak", type=float, default=8e-4)
    parser.add_argument("--start", type=Path, help="an exported folder with the initial weights")
    parser.add_argument(
        "--test", type=Path, help="a COCO file to measure on during training; default: procedural scenes"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--model", type=Path, help="an exported folder to measure")
    parser.add_argument("--count", type=int, default=100, help="images to measure on")
    parser.add_argument("--jitter", action="store_true", help="measure with inexact prompts, as a prompter gives them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.verb == "train":
        train(
            options.run,
            options.coco,
            minutes=options.minutes,
            drawn_share=options.drawn,
            peak=options.peak,
            start=options.start,
            test=options.test,
        )
    elif options.verb == "export":
        export(options.run, options.out)
    else:
        segmenter = Models(load_settings(segmenter=str(options.model), device="cpu")).segmenter()
        images = _images(options.coco[0], options.count) if options.coco else _scenes(10_000_000, options.count)
        _report(measure_objects(segmenter, images, jitter=options.jitter))


if __name__ == "__main__":
    main()
