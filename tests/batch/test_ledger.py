"""The ledger after kills: which lines are believed."""

from t2s_agent.batch.ledger import FILE, Ledger, Line


def line(id_, part="", rows=0, status="found"):
    return Line(id=id_, scene="a", image="a", question_id="q", question="q", status=status, part=part, part_rows=rows)


def part(folder, name):
    (folder / "parts").mkdir(exist_ok=True)
    (folder / name).write_bytes(b"PAR1")
    return name


def test_the_last_line_of_a_row_is_valid(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.add([line("1", status="failed"), line("2", status="empty")])
    ledger.add([line("1", status="empty")])
    assert {id_: each.status for id_, each in Ledger(tmp_path).lines.items()} == {"1": "empty", "2": "empty"}


def test_a_torn_last_line_is_removed_from_the_file(tmp_path):
    Ledger(tmp_path).add([line("1"), line("2")])
    data = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data[:-5])
    again = Ledger(tmp_path)
    assert (list(again.lines), again.dropped) == (["1"], 1)
    again.add([line("3")])
    assert list(Ledger(tmp_path).lines) == ["1", "3"]


def test_lines_of_a_part_count_only_together_and_with_the_part(tmp_path):
    ledger = Ledger(tmp_path)
    whole, torn = part(tmp_path, "parts/a.parquet"), part(tmp_path, "parts/b.parquet")
    ledger.add([line("1", whole, 2), line("2", whole, 2), line("3", torn, 2), line("4", "parts/gone.parquet", 1)])
    again = Ledger(tmp_path)
    assert (sorted(again.lines), again.dropped) == (["1", "2"], 2)
    assert Ledger(tmp_path).dropped == 0


def test_there_may_be_no_ledger_yet(tmp_path):
    assert Ledger(tmp_path).lines == {}
    assert not (tmp_path / FILE).exists()
