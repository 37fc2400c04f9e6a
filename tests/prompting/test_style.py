"""The prompt, which published weights know to the letter."""

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.prompting.style import DEFAULT_STYLE, STYLES, style_named

PAPERS = """Please find "the tanks", identify the target. For each target instance, provide:
1.  `bbox_2d`: A tight bounding box.
2.  `positive_points`: Exactly two points, placed inside the target.
Output your thinking process in <think> </think> tags.
Output the final answer in <answer> </answer> tags with the specified JSON format. If no targets are found, output an empty list.
i.e. <think> thinking process here </think>\x20
<answer>```json[{"bbox_2d": [310,360,567,586], "positive_points": [[434, 474], [450, 460]]}, {"bbox_2d": [10,200,100,320], "positive_points": [[50, 250], [90, 300]]}]```</answer>"""


def test_the_default_prompt_is_the_papers_to_the_letter():
    assert DEFAULT_STYLE.name == "box_2_points"
    assert DEFAULT_STYLE.user("the tanks") == PAPERS
    assert DEFAULT_STYLE.system == (
        "You are a remote sensing analysis assistant. Your task is to generate spatial prompts for the Segment Anything Model (SAM) based on a user's request."
    )


def test_a_question_with_braces_stays_as_it_is():
    assert 'Please find "the {question} {0}"' in DEFAULT_STYLE.user("the {question} {0}")


@pytest.mark.parametrize("name", STYLES)
def test_every_style_asks_for_what_it_counts(name):
    style, text = STYLES[name], STYLES[name].user("q")
    assert ("bbox_2d" in text) == style.box
    assert ("positive_points" in text) == (style.positive > 0)
    assert ("negative_points" in text) == (style.negative > 0)


def test_an_unknown_style_names_those_that_there_are():
    with pytest.raises(T2SError) as caught:
        style_named("boxes")
    assert caught.value.code == "argument_invalid"
    assert "box_4_points" in caught.value.fix
