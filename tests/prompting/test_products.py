"""Products with weights in half precision are those in float32, where half precision changes nothing."""

import pytest
import torch

from t2s_agent.prompting import products
from t2s_agent.prompting.products import product_of


def linear(out, scale=1.0, seed=0):
    torch.manual_seed(seed)
    layer = torch.nn.Linear(48, out, bias=False)
    layer.weight.data = (layer.weight * scale).bfloat16().float()
    return layer


@pytest.fixture
def packed(monkeypatch):
    """Counts the weights that are kept in half precision."""
    kept, exact = [], products._is_exact_in_half
    monkeypatch.setattr(products, "_is_exact_in_half", lambda weight: kept.append(exact(weight)) or kept[-1])
    return kept


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_products_of_a_checkpoint_in_bfloat16(rows, scale, packed):
    layers, x = [linear(20, scale), linear(30, scale, seed=1)], torch.randn(rows, 48)
    expected = torch.cat([layer(x) for layer in layers], -1)
    with torch.inference_mode():
        found = product_of(*layers)(x)
    assert packed == [True]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6 * scale)


@pytest.mark.parametrize("rows", [1, 3])
def test_weights_with_more_digits_stay_as_they_are(rows, packed):
    layer, x = linear(20), torch.randn(rows, 48)
    layer.weight.data = layer.weight.data * (1 + 1e-4)
    with torch.inference_mode():
        found = product_of(layer)(x)
    assert packed == [False]
    torch.testing.assert_close(found, layer(x).detach(), rtol=1e-5, atol=1e-6)


def test_weights_too_large_for_half_precision_stay_as_they_are(packed):
    product_of(linear(20, 1e7))
    assert packed == [False]


def test_where_torch_cannot_multiply_in_half_precision_weights_stay_as_they_are(monkeypatch):
    class Engine:
        engine = "qnnpack"

    layer, x = linear(20), torch.randn(1, 48)
    monkeypatch.setattr(torch.backends, "quantized", Engine)
    monkeypatch.setattr(torch.ops.quantized, "linear_prepack_fp16", None)
    torch.testing.assert_close(product_of(layer)(x), layer(x).detach(), rtol=1e-5, atol=1e-6)
