"""Makes pictures that are no overhead images: blank ones, gradients, noise, maps, and screenshots of pages."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from t2s_agent.scene.not_overhead import Kind

Pixels = NDArray[np.uint8]
Colours = tuple[tuple[int, int, int], ...]
SIDE = 640
_INK: Colours = ((34, 34, 34), (20, 60, 140), (150, 30, 30), (90, 90, 90))
_LAND: Colours = ((242, 239, 233), (200, 230, 190), (225, 235, 210), (250, 244, 220))
_WATER: Colours = ((170, 211, 223), (150, 190, 230))
_ROADS: Colours = ((255, 255, 255), (247, 205, 120), (233, 144, 160))
_WORDS = ("harbour", "north", "street", "station", "park", "river", "bridge", "the", "results", "of", "a", "question")


def as_jpeg(rgb: Pixels, quality: int) -> Pixels:
    """The picture after it was stored as JPEG."""
    stored = io.BytesIO()
    Image.fromarray(rgb).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored).convert("RGB"))


def kinds(count: int, seed: int = 0) -> dict[str, tuple[Kind, list[Pixels]]]:
    """`count` pictures of each kind, and what each is to be called; every kind also as JPEG of quality 75."""
    makers: dict[str, tuple[Kind, Callable[[np.random.Generator], Pixels]]] = {
        "one colour": ("blank", _plain),
        "gradient": ("blank", _gradient),
        "uniform noise": ("noise", _uniform),
        "normal noise": ("noise", _normal),
        "salt and pepper": ("noise", _salt_and_pepper),
        "map": ("drawing", _map),
    }
    found: dict[str, tuple[Kind, list[Pixels]]] = {}
    for name, (kind, make) in makers.items():
        pictures = [make(np.random.default_rng([seed, number])) for number in range(count)]
        found[name] = kind, pictures
        found[f"{name}, JPEG"] = kind, [as_jpeg(each, 75) for each in pictures]
    return found


def screenshots(count: int, seed: int = 0) -> Iterator[Pixels]:
    """Pages as a headless Chromium shows them: text, tables, forms, dark and light. None where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            page, shot = Path(folder) / "page.html", Path(folder) / "shot.png"
            page.write_text(_page(np.random.default_rng([seed, number])), encoding="utf-8")
            flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1024,768"]
            where = [f"--user-data-dir={folder}/profile", f"--screenshot={shot}", page.as_uri()]
            subprocess.run([program, *flags, *where], check=True, capture_output=True, timeout=120)
            yield np.asarray(Image.open(shot).convert("RGB"))


def _plain(random: np.random.Generator) -> Pixels:
    return np.full((SIDE, SIDE, 3), random.integers(0, 256, 3), np.uint8)


def _gradient(random: np.random.Generator) -> Pixels:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    angle = random.uniform(0, 2 * np.pi)
    line = np.cos(angle) * x + np.sin(angle) * y
    rounded = np.hypot(x - random.uniform(), y - random.uniform())
    way = line if random.random() < 0.5 else rounded
    way = (way - way.min()) / np.ptp(way)
    low, high = random.integers(0, 256, (2, 3))
    return np.asarray(np.rint(low + way[..., None] * (high - low)), np.uint8)


def _uniform(random: np.random.Generator) -> Pixels:
    channels = int(random.choice([1, 3]))
    return np.repeat(random.integers(0, 256, (SIDE, SIDE, channels), np.uint8), 3 // channels, 2)


def _normal(random: np.random.Generator) -> Pixels:
    values = random.normal(random.uniform(80, 180), random.uniform(15, 60), (SIDE, SIDE, 1))
    return np.repeat(np.clip(values, 0, 255).astype(np.uint8), 3, 2)


def _salt_and_pepper(random: np.random.Generator) -> Pixels:
    picture, chance = np.full((SIDE, SIDE, 3), random.integers(60, 200), np.uint8), random.uniform(0.02, 0.5)
    value = random.random((SIDE, SIDE))
    picture[value < chance / 2], picture[value > 1 - chance / 2] = 0, 255
    return picture


def _map(random: np.random.Generator) -> Pixels:
    """Land, water, roads of some widths, houses, and names."""
    image = Image.new("RGB", (SIDE, SIDE), _one(random, _LAND))
    pen = ImageDraw.Draw(image)
    for _ in range(int(random.integers(3, 9))):
        middle, size = random.uniform(0, SIDE, 2), random.uniform(40, 220)
        corners = [middle + size * random.uniform(0.5, 1) * _turned(a) for a in np.linspace(0, 2 * np.pi, 12)]
        pen.polygon([tuple(c) for c in corners], fill=_one(random, (*_LAND, *_WATER)))
    for _ in range(int(random.integers(20, 90))):
        x, y, wide, high = *random.uniform(0, SIDE, 2), *random.uniform(6, 26, 2)
        pen.rectangle((x, y, x + wide, y + high), fill=(217, 208, 201), outline=(190, 175, 165))
    for _ in range(int(random.integers(4, 16))):
        ends, width = [tuple(random.uniform(0, SIDE, 2)) for _ in range(3)], int(random.integers(2, 12))
        pen.line(ends, fill=(140, 130, 120), width=width + 2)
        pen.line(ends, fill=_one(random, _ROADS), width=width)
    for _ in range(int(random.integers(5, 25))):
        x, y = random.uniform(0, SIDE, 2)
        font = ImageFont.load_default(int(random.integers(10, 22)))
        pen.text((x, y), _said(random, 1), fill=_one(random, _INK), font=font)
    return np.asarray(image)


def _page(random: np.random.Generator) -> str:
    dark = random.random() < 0.3
    ground, ink = ("#12181a", "#e8eaec") if dark else (str(random.choice(["#fff", "#f4f5f3", "#fbf7ee"])), "#222")
    blocks = (_paragraph, _table, _form)
    body = "".join(blocks[int(random.integers(3))](random) for _ in range(int(random.integers(3, 9))))
    style = f"background:{ground};color:{ink};font:{int(random.integers(12, 20))}px sans-serif"
    return f"<!doctype html><body style='{style};margin:{int(random.integers(10, 80))}px'><h1>{_said(random, 4)}</h1>{body}"


def _paragraph(random: np.random.Generator) -> str:
    return f"<p>{_said(random, int(random.integers(10, 90)))}</p>"


def _table(random: np.random.Generator) -> str:
    cells = "".join(f"<td style='padding:6px;border:1px solid #999'>{_said(random, 2)}</td>" for _ in range(4))
    return f"<table style='border-collapse:collapse'>{f'<tr>{cells}</tr>' * int(random.integers(2, 8))}</table>"


def _form(random: np.random.Generator) -> str:
    colour = str(random.choice(["#0f5e6b", "#a83200", "#335", "#2a7"]))
    return (
        f"<div style='border:1px solid #888;border-radius:8px;padding:14px;margin:8px'>{_said(random, 3)} <input> "
        f"<button style='background:{colour};color:#fff;padding:8px'>{_said(random, 1)}</button></div>"
    )


def _said(random: np.random.Generator, words: int) -> str:
    return " ".join(random.choice(_WORDS, words))


def _turned(angle: float) -> NDArray[np.float64]:
    return np.array([np.cos(angle), np.sin(angle)])


def _one(random: np.random.Generator, colours: Colours) -> tuple[int, int, int]:
    return colours[int(random.integers(len(colours)))]
