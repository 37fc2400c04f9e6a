"""RefSegRS and RISBench: each line is a sample; lines that do not fit are named by number."""

import numpy as np
import pytest
from phrases.data import FOLDERS, LINES, SIDE, target, write
from PIL import Image

from evals.datasets import BrokenDataset, BrokenSample, open_dataset

NAMES = sorted(LINES)


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_each_line_is_a_sample(tmp_path, name, bands):
    dataset = open_dataset(name, write(tmp_path, name, bands=bands), "test")
    samples = list(dataset.samples())
    first = LINES[name][0].split()[0]
    assert [s.id for s in samples][::2] == [f"{first}#1", f"{first}#3"]
    assert [s.image_id for s in samples][::2] == [first, first]
    assert samples[0].question in ("vehicle on the road", "the ship on the left")
    assert (samples[1].read_truth().mask == (target(1) > 0)).all()
    assert samples[1].read_image().shape == (SIDE, SIDE, 3)
    assert (len(dataset), dataset.images) == (3, 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("line", "kind"), [("demo_9 a thing", "missing"), ("demo_1", "broken"), (None, "doubled")])
def test_lines_that_do_not_fit_are_named_by_number(tmp_path, name, line, kind):
    root = write(tmp_path, name)
    text = line or LINES[name][1]
    with (root / "output_phrase_test.txt").open("a") as file:
        file.write("\n" + text + "\n")
    word = "" if kind == "missing" else "output_phrase_test.txt "
    with pytest.raises(BrokenDataset, match=rf"{word}.*line 5") as error:
        open_dataset(name, root, "test")
    expected = "missing" if name == "risbench" and kind == "broken" else kind
    assert [problem.kind for problem in error.value.problems] in ([kind], [expected])
    assert len(open_dataset(name, root, "test", on_broken="skip")) == 3


def test_a_mask_whose_bands_differ_or_whose_palette_contradicts_is_refused(tmp_path):
    root = write(tmp_path, "risbench")
    path = root / FOLDERS["risbench"][1] / "demo.1.png"
    blue = np.zeros((SIDE, SIDE, 3), np.uint8)
    blue[..., 2] = 255
    Image.fromarray(blue).save(path)
    sample = next(open_dataset("risbench", root, "test").samples())
    with pytest.raises(BrokenSample, match="bands"):
        sample.read_truth()
    shown = Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).convert("P")
    shown.putpalette([255, 0, 0, 0, 0, 0])
    shown.save(path)
    with pytest.raises(BrokenSample, match="palette"):
        sample.read_truth()


def test_a_picture_of_more_than_8_bits_is_refused(tmp_path):
    root = write(tmp_path, "refsegrs")
    Image.fromarray(np.full((SIDE, SIDE), 3000, np.uint16)).save(root / "images" / "demo_1.tif")
    with pytest.raises(BrokenSample, match="8 bits"):
        next(open_dataset("refsegrs", root, "test").samples()).read_image()
