"""Which part of a text is the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.prompting.frames import Frame, Size
from t2s_agent.prompting.parsing import parse_answer, read_words
from t2s_agent.prompting.reading import read_answer
from t2s_agent.prompting.style import STYLES
from t2s_agent.prompting.thinking import split_thinking

TRUE = '<answer>```json[{"bbox_2d": [100,200,300,400]}]```</answer>'
DRAFT = '<answer>```json[{"bbox_2d": [1,2,30,40]}]```</answer>'
TAGS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<|thinking|>", "<|/thinking|>"),
    ("<Thought>", "</Thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
]


def boxes(raw, **how):
    return [item.box for item in read_words(raw, **how).items]


@pytest.mark.parametrize(("opening", "closing"), TAGS)
def test_a_draft_in_the_thinking_is_not_the_answer_whatever_the_tags(opening, closing):
    assert boxes(f"{opening}Maybe {DRAFT}, no.{closing}\n{TRUE}") == [(100, 200, 300, 400)]
    assert boxes(f"Maybe {DRAFT}, no.{closing}\n{TRUE}") == [(100, 200, 300, 400)]  # the chat template opened it
    words = read_words(f"{opening}Maybe {DRAFT}, no, that is a shadow. Let me", cut=True)
    assert (words.items, words.unfinished) == ((), True)
    assert read_words(f"{opening}Maybe {DRAFT}").problem  # also where the server does not say that it was cut


def test_the_thinking_is_kept_without_its_tags():
    assert split_thinking("<think> two tanks </think> x").thinking == "two tanks"
    assert split_thinking(" two tanks </think> x").thinking == "two tanks"


@pytest.mark.parametrize("style", STYLES.values(), ids=lambda style: style.name)
def test_the_prompts_example_repeated_before_the_answer_is_not_the_answer(style):
    echo = style.user("q")[style.user("q").index("i.e.") :]
    for raw in (
        f"As asked, {echo}\n\n{TRUE}",
        f"<think>one</think>The form is {echo}. So: {TRUE}",
        f"{TRUE}\nIn the form {echo}",
    ):
        assert boxes(raw) == [(100, 200, 300, 400)], raw
    fences = f"```json{style.example}```\nso\n" + '```json[{"bbox_2d": [100,200,300,400]}]```'
    assert boxes(fences) == [(100, 200, 300, 400)]


def test_an_answer_that_only_repeats_the_example_is_none():
    example = STYLES["box_2_points"].example
    answer = parse_answer(f"<answer>```json{example}```</answer>", frame=(1000, 1000))
    assert answer.status == "unparsable"
    assert "example" in answer.warnings[-1]


def test_a_text_cut_off_before_its_answer_says_which_setting_is_longer():
    frame = Frame(Size(1000, 1000), Size(512, 512))
    raw = 'The tank may be [{"bbox_2d": [10,10,40,40]}], no, that is a shadow. Let me'
    answer = read_answer(raw, frame, cut=True, tokens=50, most_tokens=64)
    assert answer.status == "unparsable"
    assert "cut off after 50 tokens" in answer.warnings[-1]
    assert "max_new_tokens" in answer.fix


def test_an_answer_that_was_cut_off_in_its_list_gives_its_whole_items():
    assert boxes('<think>x</think><answer>```json[{"bbox_2d": [1,2,3,4]}, {"bbox_2d": [5,', cut=True) == [(1, 2, 3, 4)]
    assert boxes('```json[{"bbox_2d": [1,2,3,4]}, {"bbox_2d": [5,', cut=True) == [(1, 2, 3, 4)]


def test_an_empty_answer_beside_another_one_is_refused():
    words = read_words(f"{TRUE} or, if you mean ships, <answer>[]</answer>")
    assert "empty answer" in words.problem


def test_an_answer_before_a_second_thinking_counts():
    assert boxes(f"{TRUE}\n<think>Let me verify") == [(100, 200, 300, 400)]


def test_tags_in_a_label_or_in_quotes_are_words():
    raw = '<think>t</think><answer>[{"bbox_2d": [1,2,3,4], "label": "a <think> tag"}]</answer>'
    assert boxes(raw) == [(1, 2, 3, 4)]
    assert boxes('I leave out "<think>". ' + TRUE) == [(100, 200, 300, 400)]


@given(st.text(max_size=60), st.sampled_from(TAGS), st.text(max_size=60))
def test_nothing_before_the_last_closing_tag_is_part_of_the_answer(before, tags, after):
    parts = split_thinking(f"{before}{DRAFT}{tags[1]} {after}")
    assert DRAFT not in parts.answer


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", TRUE, DRAFT, "[]", " so ", "```json", "[THINK]", "[/THINK]"]),
        max_size=9,
    )
)
def test_no_order_of_tags_raises(pieces):
    for cut in (True, False):
        read_words("".join(pieces), cut=cut)
