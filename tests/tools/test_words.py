"""What agents are told names nothing that only people have."""

import ast
import re
from pathlib import Path

import pytest
from t2s_agent.tools.words import for_agents

import t2s_agent

PERSONAL = re.compile(r"(?<![\w-])--[a-z]{2,}|\bT2S_[A-Z]|\bmax_size\b.*\bnow\b|choose with bands")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "objects smaller than about 16 m cannot be seen; narrow with bbox, look with mode full, or raise max_size (now 1024)",
            "objects smaller than about 16 m cannot be seen; look with mode full, or at a part of it with bbox",
        ),
        ("bands 1, 2, 3 are shown; choose with bands", "bands 1, 2, 3 are shown"),
        ("Ask in other words, or use another --prompter", "Ask in other words"),
        ("Set max_new_tokens (T2S_MAX_NEW_TOKENS, 2048 now) higher", "Set the server's setting max_new_tokens higher"),
        ("Choose a --device", "Choose a the server's setting device"),
        ("2 -- 3 and a--b stay", "2 -- 3 and a--b stay"),
    ],
)
def test_a_remark_for_people_becomes_one_for_agents(written, said):
    assert for_agents(written) == said


def texts_of(folder):
    """Every text of the library's source, f-strings with a 1 for each value."""
    for path in sorted(folder.rglob("*.py")):
        if {"cli", "server"} & set(path.relative_to(folder).parts):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = set()
        for node in ast.walk(tree):  # an f-string comes before its parts
            if isinstance(node, ast.JoinedStr):
                parts |= {id(value) for value in node.values}
                yield "".join(str(v.value) if isinstance(v, ast.Constant) else "1" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                yield node.value


def test_no_text_of_the_library_names_a_flag_or_a_variable_to_an_agent():
    texts = [text for text in texts_of(Path(t2s_agent.__file__).parent) if PERSONAL.search(text)]
    assert len(texts) > 5
    assert [for_agents(text) for text in texts if PERSONAL.search(for_agents(text))] == []
