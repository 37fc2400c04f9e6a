"""Two checkouts answer the same questions by turns."""

from pathlib import Path

import pytest

from evals.speed.answer import Job, Turn, Worker, jobs, neighbours, require_same, table

JOB = Job("few objects", Path("few.tif"), "Find every building.")
REPOSITORY = Path(__file__).parents[3]


def turn(seconds, text="[]", areas=(10, 20)):
    return Turn({"answer": seconds, "masks": 1.0, "whole": 2 * seconds}, text, 7, areas)


def test_ratios_are_of_turns_side_by_side():
    lines = table(JOB, [(turn(1.0), turn(4.0)), (turn(10.0), turn(20.0)), (turn(3.0), turn(6.0, areas=(10, 20)))])
    assert "2 objects, 7 tokens, the same" in lines[0]
    answer = next(line for line in lines if line.strip().startswith("answer "))
    assert answer.split()[1:] == ["3.000", "s", "6.000", "s", "2.00", "times", "faster"]  # ratios 4, 2 and 2
    both = next(line for line in lines if "answer + masks" in line)
    assert "1.91 times" in both  # 5 / 2, 21 / 11, 7 / 4


def test_masks_of_another_area_are_reported():
    assert "at most 50.00%" in table(JOB, [(turn(1.0), turn(1.0, areas=(10, 40)))])[0]


def test_different_texts_end_the_program():
    require_same(JOB, turn(1.0), turn(2.0))
    with pytest.raises(SystemExit, match="from character 2: 'c', 'd'"):
        require_same(JOB, turn(1.0, "abc"), turn(1.0, "abd"))
    with pytest.raises(SystemExit, match="from character 1"):
        require_same(JOB, turn(1.0, "a"), turn(1.0, "ab"))


@pytest.mark.slow
def test_this_checkout_answers_as_itself_beside_a_busy_process(tmp_path):
    job = jobs(tmp_path)[1]
    with Worker(REPOSITORY, 1) as one, neighbours(1):
        first, second = one.do(job), one.do(job)
    require_same(job, first, second)
    assert len(first.areas) >= 7
    assert min(first.areas) > 0
    assert set(first.seconds) == {"answer", "masks", "whole"}
