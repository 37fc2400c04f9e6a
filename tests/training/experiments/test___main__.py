"""The command line lists experiments and names runs that do not exist."""

import pytest

from training.experiments.__main__ import main


def test_without_a_name_all_are_listed_with_their_claims(capsys):
    main([])
    assert "masks-or-boxes: A reward of masks alone" in capsys.readouterr().out


def test_a_run_that_does_not_exist_is_named_with_those_there_are(tmp_path):
    with pytest.raises(SystemExit, match=r"no run masks-9.*boxes-2"):
        main(["masks-or-boxes", "--out", str(tmp_path), "--only", "masks-9"])


def test_runs_need_a_folder(capsys):
    with pytest.raises(SystemExit):
        main(["masks-or-boxes"])
    assert "give --out DIR" in capsys.readouterr().err
