"""Claims about the command model: tables of one's own, in any of three formats."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from command_line import Ended

TABLE = pl.DataFrame(
    {
        "trial": [1, 1, 0, 0] * 5,
        "seats": [float(n % 7) for n in range(20)],
        "plan": ["pro", "free", "free", "pro", "team"] * 4,
        "firm": [f"f{n % 8}" for n in range(20)],
        "bought": [1, 0, 1, 0] * 5,
        "n": [20, 30, 15, 135] * 5,
    }
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The table in files of each format."""
    monkeypatch.chdir(tmp_path)
    TABLE.write_parquet("t.parquet")
    TABLE.write_csv("t.csv")
    TABLE.write_csv("semicolons.csv", separator=";")
    TABLE.write_ndjson("t.ndjson")
    Path("array.json").write_text(json.dumps(TABLE.to_dicts()))
    Path("t.csv.gz").write_bytes(gzip.compress(Path("t.csv").read_bytes()))
    Path("excel.txt").write_bytes(Path("t.csv").read_text().replace(",", "\t").encode("utf-16"))
    return {path.name: str(path) for path in Path().iterdir()}


def test_every_format_gives_the_same_model(files: dict[str, str]) -> None:
    """The odds ratio of a two-by-two table is the one computed by hand, from whatever file."""
    for path in files.values():
        printed = Ended("model", path, "--outcome", "bought", "--signals", "trial", "--weights", "n", "--json").json
        _, trial = printed["coefficients"]
        assert trial["odds_ratio"] == pytest.approx(20 * 135 / (30 * 15)), path
        assert (printed["outcome"], printed["n_visits"], printed["n_requests"]) == ("bought", 1000, 175)


@pytest.mark.usefixtures("files")
def test_the_model_is_printed_as_in_python() -> None:
    """The table of coefficients comes below a heading that names the outcome, and warnings below."""
    words = ["--signals", "trial,seats,trial:seats", "--weights", "n", "--account", "firm", "--category", "plan=free"]
    ended = Ended("model", "t.parquet", "--outcome", "bought", *words)
    heading = (
        "IntentModel: bought is 1 in 175 of 1,000 rows, 8 accounts; maximum likelihood; standard errors cluster by"
    )
    assert ended.out.startswith(heading)
    for term in ("trial", "seats", "plan=pro", "plan=team", "trial:seats"):
        assert f" {term} " in ended.out
    assert "true_coefficient" not in ended.out
    assert "warning: few accounts, or few large ones, decide on these signals" in ended.out
    assert ended.status == 0


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.csv --outcome bought", "none.csv: cannot be read: No such file or directory"),
        ("t.csv --outcome sold", "t.csv: the table has no column 'sold'; its columns are trial, seats, plan"),
        ("t.csv --outcome bought --signals plan", "t.csv: plan: is of type String, neither a number nor boolean"),
        ("t.csv --outcome seats", "t.csv: seats: an outcome must be 0 or 1, or false or true"),
        ("t.csv --outcome bought --category plan=gold", "t.csv: plan: no row has the reference level 'gold'"),
        ("t.csv --outcome bought --weights plan", "t.csv: plan: weights are frequency weights"),
        ("t.csv --outcome bought --signals ,", "t.csv: signals: name at least one column"),
        ("broken.parquet --outcome bought", "broken.parquet: is no table in Parquet, CSV or NDJSON: parquet: File out"),
        ("ragged.csv --outcome bought", "ragged.csv: is no table in Parquet, CSV or NDJSON: found more fields"),
        ("latin.csv --outcome bought", "latin.csv: is no table in Parquet, CSV or NDJSON: "),
        ("broken.gz --outcome bought", "broken.gz: is no table in Parquet, CSV or NDJSON: "),
        ("empty.csv --outcome bought", "empty.csv: is empty"),
        ("t.csv", "Missing option '--outcome'"),
    ],
)
def test_anything_wrong_is_one_clear_error(arguments: str, message: str) -> None:
    """A file that is no table, and a column that cannot be used, end in one line and status 2."""
    for name, data in {"broken.parquet": b"PAR1xx", "ragged.csv": b"a,b\n1,2,3\n", "empty.csv": b" \n"}.items():
        Path(name).write_bytes(data)
    Path("latin.csv").write_bytes("bought,plan\n1,caf\xe9\n0,x\n".encode("latin-1"))
    Path("broken.gz").write_bytes(b"\x1f\x8b\x08broken")
    ended = Ended("model", *arguments.split())
    assert ended.status == 2
    assert ended.err.startswith(f"funnelsim: {message}")
    assert ended.err.count("\n") == 1
