"""The README's table of keys is that of the classes."""

from training.keys import README, tables, with_tables
from training.recipe import Recipe


def test_the_readme_has_the_keys_of_now():
    text = README.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run python -m training.keys"


def test_a_key_has_its_values_its_limits_and_its_default():
    text = tables()
    assert "| `group` | whole number, at least 2 | `16` |" in text
    assert "| `loss` | `grpo`, `dapo`, `dr_grpo` | `grpo` |" in text
    assert "| `name` | text | needed |" in text
    assert "| `steps` | whole number or null, at least 1 | null |" in text
    assert "### policy.lora\n" in text
    assert "### data.train.0\n" in text
    for part in Recipe.model_fields:
        assert f"`{part}`" in text or f"### {part}\n" in text


def test_what_stands_around_the_tables_stays():
    old = "before\n<!-- keys: made by python -m training.keys -->\nold\n<!-- end of keys -->\nafter\n"
    new = with_tables(old)
    assert new.startswith("before\n")
    assert new.endswith("<!-- end of keys -->\nafter\n")
    assert "old" not in new.partition("###")[0]
