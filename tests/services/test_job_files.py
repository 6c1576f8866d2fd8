"""Files of batches, good and bad: what is understood, and what a person is told of the rest."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from webapp.ml.schema import ABSENT, Choice, Feature, Learned, Output, Schema, check_columns
from webapp.services.jobs import reading
from webapp.services.jobs.columns import Plan, Sorted
from webapp.services.jobs.files import Unreadable
from webapp.services.jobs.sniffing import sniff

LENGTH = Feature("length", "number", "Length", minimum=0, maximum=30, learned=Learned(1.0, 9.0))
PAGES = Feature("pages", "integer", "Pages", nullable=True)
BOUGHT = Feature("bought", "boolean", "Bought", default=True)
COLOUR = Feature(
    "colour", "category", "Colour", nullable=True, choices=(Choice("red", "Red"), Choice("blue", "Blue"))
)
GRADE = Feature(
    "grade", "category", "Grade", nullable=True, choices=(Choice(1, "1"), Choice(2, "2")), closed=True
)
SCHEMA = Schema((LENGTH, PAGES, BOUGHT, COLOUR, GRADE), Output("regression", "y", "Y"))
ONE = Schema((LENGTH,), Output("regression", "y", "Y"))


def read(
    folder: Path,
    data: str | bytes,
    name: str = "rows.csv",
    schema: Schema = SCHEMA,
    chosen: dict[str, str] | None = None,
    subject: str = "",
) -> tuple[Plan, list[Sorted]]:
    path = folder / "upload"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    how = sniff(path, name, chosen or {}, schema)
    plan = Plan(schema, reading.heading(path, how), how, subject)
    return plan, [plan.sort(chunk) for chunk in reading.chunks(path, how, plan.names)]


def received(folder: Path, data: str | bytes, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
    _, found = read(folder, data, *args, **kwargs)
    assert [f.bad for f in found] == [{}] * len(found)
    return [good.received for f in found for good in f.good]


def wrong(folder: Path, data: str | bytes, *args: Any, **kwargs: Any) -> list[tuple[int, str, str]]:
    _, found = read(folder, data, *args, **kwargs)
    return [(place, w.column, w.detail) for f in found for place, ws in f.bad.items() for w in ws]


def refusal(folder: Path, data: str | bytes, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(Unreadable) as refused:
        read(folder, data, *args, **kwargs)
    return refused.value.detail


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    text = "pages,length,note\n3,1.5,x\n4.0,2,y\n".replace(",", delimiter)
    assert received(tmp_path, text) == [{"length": 1.5, "pages": 3}, {"length": 2.0, "pages": 4}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    chosen = {"encoding": "cp1252"} if encoding == "cp1252" else None
    [row] = received(tmp_path, "length,colour\n1.5,açaí\n".encode(encoding), chosen=chosen)
    assert row == {"length": 1.5, "colour": "açaí"}


def test_another_encoding_is_noticed_with_its_line(tmp_path: Path) -> None:
    said = refusal(tmp_path, "length,colour\n1,red\n2,açaí\n".encode("cp1252"))
    assert "UTF-8" in said and "Windows-1252" in said and "line" in said


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_decimal_comma_is_taken_where_all_numbers_have_one(tmp_path: Path, delimiter: str) -> None:
    text = f"length{delimiter}pages\n1,5{delimiter}3\n2{delimiter}4,0\n"
    assert received(tmp_path, text) == [{"length": 1.5, "pages": 3}, {"length": 2.0, "pages": 4}]


def test_a_decimal_comma_is_never_lenient(tmp_path: Path) -> None:
    text = "length;pages\n1,5;1\n1.234,5;1\n1.5;1\n"
    told = wrong(tmp_path, text, chosen={"decimal": ","})
    assert [(place, column) for place, column, _ in told] == [(1, "length"), (2, "length")]
    assert all("comma" in detail for _, _, detail in told)
    assert "point" in wrong(tmp_path, 'length,pages\n"1,5",1\n', chosen={"decimal": "."})[0][2]


@pytest.mark.parametrize(
    ("cells", "column", "word"),
    [
        ("abc,1,true,red,1", "length", "“abc”"),
        ("NA,1,true,red,1", "length", "write nothing"),
        (",1,true,red,1", "length", "is required"),
        ("31,1,true,red,1", "length", "at most 30"),
        ("1_0,1,true,red,1", "length", "“1_0”"),
        ("inf,1,true,red,1", "length", "“inf”"),
        ("1e999,1,true,red,1", "length", "too large"),
        ("٣,1,true,red,1", "length", "must be a number"),
        ("1,1.5,true,red,1", "pages", "whole number"),
        ("1,1,yes,red,1", "bought", "true or false"),
        ("1,1,true,red,7", "grade", "must be one of 1, 2"),
    ],
)
def test_what_is_wrong_in_a_cell_is_said(tmp_path: Path, cells: str, column: str, word: str) -> None:
    [(place, where, detail)] = wrong(tmp_path, f"length,pages,bought,colour,grade\n2,1,,,\n{cells}\n")
    assert (place, where) == (1, column) and word in detail


def test_nothing_means_missing_or_the_default(tmp_path: Path) -> None:
    plan, [found] = read(tmp_path, "length,pages,bought,colour,grade\n1,,,,\n2,1.0,TRUE,red,2.0\n")
    assert [g.received for g in found.good] == [
        {"length": 1.0},
        {"length": 2.0, "pages": 1, "bought": True, "colour": "red", "grade": 2},
    ]
    assert found.good[0].checked.defaulted == ["bought"] and plan.left_out == []


def test_a_column_that_is_missing_is_named_with_its_near_miss(tmp_path: Path) -> None:
    plan, _ = read(tmp_path, "lenght,pages\n1,1\n")
    assert len(plan.problems) == 1 and "“length”" in plan.problems[0] and "“lenght”" in plan.problems[0]
    plan, _ = read(tmp_path, "length\n1\n", subject="case")
    assert "“case”" in plan.problems[0]


def test_columns_that_are_no_features_are_carried_along(tmp_path: Path) -> None:
    plan, [found] = read(tmp_path, "case,length,note,\na 1,1,x,y\n", subject="case")
    assert plan.carried == ["note", "column 4"] and found.good[0].subject == "a 1"


def test_ragged_rows_are_counted_by_their_lines(tmp_path: Path) -> None:
    text = 'length,colour\n1,"two\nlines"\n2\n\n3,red,4\n4,red\n'
    path = tmp_path / "upload"
    path.write_text(text)
    how = sniff(path, "rows.csv", {}, SCHEMA)
    [chunk] = reading.chunks(path, how, reading.heading(path, how))
    assert (chunk.lines, sorted(chunk.broken)) == ([2, 4, 6, 7], [1, 2])
    assert "this row 1" in chunk.broken[1] and "this row 3" in chunk.broken[2]


@pytest.mark.parametrize(
    ("data", "name", "word"),
    [
        (b"", "rows.csv", "empty"),
        (b"\xef\xbb\xbf\n", "rows.csv", "empty"),
        (b"PK\x03\x04rest", "rows.csv", "Excel"),
        (b"\x89PNG\r\n", "rows.csv", "PNG"),
        (b"\x1f\x8b\x08", "rows.csv.gz", "gzip"),
        (b"PAR1 and more", "rows.csv", "Parquet"),
        (b"length\n1\n", "rows.parquet", "is none"),
        (b"PAR1 and no more", "rows.parquet", "Parquet"),
        (b"length,length\n1,2\n", "rows.csv", "Two columns"),
        (b"length,pages\n1,2\0\n", "rows.csv", "NUL"),
        (b'length,pages\n1,"2\n3\n', "rows.csv", "quotation mark"),
        (b'length,pages\n1,"2"x\n', "rows.csv", "quotation mark"),
        (b"length\n" + b"1" * 1_000_001, "rows.csv", "longer than"),
        (b"length," * 13_000 + b"x\n1\n", "rows.csv", "Two columns"),
        (b",".join(b"a%d" % i for i in range(13_000)) + b"\n1\n", "rows.csv", "13000 columns"),
        (b",".join(b"a%d" % i for i in range(1_000_000)) + b"\n1\n", "rows.csv", "longer than"),
        (b'[{"length": 1}]', "rows.json", "one JSON list"),
        (b"no\n", "rows.jsonl", "No line holds an object"),
        (b'\n{"length": 1, "length": 2}\n', "rows.jsonl", "line 2 names “length” twice"),
        (b'{"length": NaN}\n', "rows.jsonl", "line 1 is not JSON"),
        (b"{}\n", "rows.jsonl", "write one row a line"),
        (b"length,note\n1," + b'"a\n",' * 2_000_000 + b"\n", "rows.csv", "longer than 4194304"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_why(tmp_path: Path, data: bytes, name: str, word: str) -> None:
    assert word in refusal(tmp_path, data.replace(b"length," * 13_000, b"length,length,"), name)


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        '{"length": 1, "note": [1]}',
        "",
        '{"length": 2.5, "pages": null}',
        "no",
        '{"length": 1, "length": 2}',
    ]
    told = wrong(tmp_path, "\n".join([*rows, '{"length": [1]}', "[1]", '{"length": NaN}']), "rows.jsonl")
    assert [place for place, _, _ in told] == [2, 3, 4, 5, 6]
    assert "not JSON" in told[0][2] and "twice" in told[1][2] and "a list" in told[2][2]
    assert received(tmp_path, "\n".join(rows[:3]), "rows.jsonl") == [
        {"length": 1},
        {"length": 2.5, "pages": None},
    ]


def test_a_line_that_holds_too_much_is_named(tmp_path: Path) -> None:
    deep = ['{"length": 1, "note": ' + "[" * n + "]" * n + "}" for n in (15, 16, 300, 1005, 5000)]
    many = '{"length": 1, "note": [' + "[]," * 60_000 + "[]]}"
    names = "{" + "".join(f'"n{i}": ":", ' for i in range(13_000)) + '"length": 1, "length": 2}'
    told = wrong(tmp_path, "\n".join([*deep, many, names]), "rows.jsonl")
    assert [place for place, _, _ in told] == [1, 2, 3, 4, 5, 6]
    assert all("levels deep" in detail for _, _, detail in told[:4])
    assert "holds more than 50000 values" in told[4][2] and "has 13001 names" in told[5][2]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_chunk_ends_early_where_its_rows_are_large(tmp_path: Path, name: str) -> None:
    long, wide = ("x" * 100_000, ["length", "note"]), ("1", ["length", *(f"n{i}" for i in range(5_000))])
    for cell, names in (long, wide):
        row = dict.fromkeys(names, cell)
        rows = {
            "rows.jsonl": [json.dumps(row)] * 99,
            "rows.csv": [",".join(names)] + [",".join(row.values())] * 99,
        }
        path = tmp_path / name
        path.write_text("\n".join(rows[name]))
        how = sniff(path, name, {}, SCHEMA)
        sizes = [len(chunk) for chunk in reading.chunks(path, how, names)]
        assert sum(sizes) == 99 and max(sizes) <= 50
        rest = list(reading.chunks(path, how, names, skip=90))
        assert (rest[0].first, sum(map(len, rest))) == (91, 9)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_who_reads_can_be_stopped_before_there_is_a_row(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('"length"\n' * 5 + "\n" * 5_000_000)
    how = reading.How(name.partition(".")[2])

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(reading.chunks(path, how, ["length"], skip=2_000, go_on=stop))
    path.write_text("\n" * 5_000_000)
    with pytest.raises(KeyboardInterrupt):
        reading.heading(path, how, stop)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_lines_are_the_same_wherever_a_read_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, block: int
) -> None:
    monkeypatch.setattr("webapp.services.jobs.files.BLOCK", block)
    text = f'length,colour{end}1,açaí{end}{end}2,"two\f{end}lines"{end}3,\u2028€'
    path = tmp_path / "upload"
    path.write_bytes(text.encode())
    how = reading.How("csv")
    [chunk] = reading.chunks(path, how, reading.heading(path, how))
    assert chunk.lines == [2, 4, 6] and chunk.broken == {}
    assert list(chunk.columns) == [("1", "2", "3"), ("açaí", f"two\f{end}lines", "\u2028€")]


def test_the_line_of_what_is_no_text_is_told(tmp_path: Path) -> None:
    good = b"length\n" + b"1\n" * 140_000
    assert "line 140002 " in refusal(tmp_path, good + "é\n".encode("cp1252"), schema=ONE)
    assert "Line 140002 " in refusal(tmp_path, good + b"1\0\n", schema=ONE)
    assert "Line 140002 " in refusal(tmp_path, good + b"1" * 1_000_001 + b"\n1\n", schema=ONE)


def test_utf_16_without_its_mark_has_to_be_chosen(tmp_path: Path) -> None:
    text, chosen = "length,colour\n1.5,açaí\n", {"encoding": "utf-16"}
    assert received(tmp_path, text.encode("utf-16-le"), chosen=chosen) == [{"length": 1.5, "colour": "açaí"}]
    assert "not UTF-16" in refusal(tmp_path, text, chosen=chosen)
    assert "not UTF-16" in refusal(tmp_path, text.encode("utf-16-le") + b"\0\xdc\n\0", chosen=chosen)
    path = tmp_path / "upload"
    path.write_bytes(text.encode("utf-16-le"))
    with pytest.raises(Unreadable):
        reading.heading(path, reading.How("csv", "utf-16"))


def test_parquet(tmp_path: Path) -> None:
    pq, pa = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    table = pa.table({"length": [1.5, None, 3.0], "pages": [1, 2, None], "case": ["a", "b", "c"]})
    pq.write_table(table, tmp_path / "made")
    _, found = read(tmp_path, (tmp_path / "made").read_bytes(), "rows.parquet", subject="case")
    assert [g.received for g in found[0].good] == [
        {"length": 1.5, "pages": 1},
        {"length": 3.0, "pages": None},
    ]
    assert "required" in found[0].bad[1][0].detail
    how = reading.How("parquet")
    rest = list(reading.chunks(tmp_path / "made", how, table.column_names, skip=1, size=1))
    assert [(c.first, len(c)) for c in rest] == [(2, 1), (3, 1)]


def parquet(folder: Path, columns: dict[str, Any], **how: Any) -> bytes:
    pq, pa = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    n = len(next(iter(columns.values())))
    pq.write_table(pa.table({"length": [1.5] * n, **columns}), folder / "made", **how)
    return (folder / "made").read_bytes()


def test_what_parquet_holds_and_nobody_can_say_is_named(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    times = pa.array([2**52, 0], pa.timestamp("s"))
    for column in (
        times,
        pa.array([2**30, 0], pa.date32()),
        pa.array([[2**52], []], pa.list_(pa.timestamp("s"))),
        pa.array(["x" * 1_000_001, "x"]),
        pa.array(["x" * 1_000_001, "x"]).dictionary_encode(),
        pa.array([[1] * 200_000, []]),
    ):
        [(place, _, detail)] = wrong(tmp_path, parquet(tmp_path, {"case": column}), "rows.parquet")
        assert place == 0 and "“case”" in detail and ("cannot be read" in detail or "longer than" in detail)
    zone = pa.array([1], pa.timestamp("us", tz="Nowhere/None"))
    assert len(wrong(tmp_path, parquet(tmp_path, {"case": zone}), "rows.parquet")) == 1


@pytest.mark.parametrize("kind", ["text", "category", "delta"])
def test_parquet_that_unpacks_to_much_is_read_few_rows_at_a_time(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    text = pa.array(["z" * 100_000] * 2_000)
    column = text.dictionary_encode() if kind == "category" else text
    delta = {"use_dictionary": False, "column_encoding": {"case": "DELTA_BYTE_ARRAY"}}
    data = parquet(tmp_path, {"case": column}, **delta if kind == "delta" else {"use_dictionary": ["case"]})
    assert len(data) < 50_000
    how = reading.How("parquet")
    assert len(next(reading.chunks(tmp_path / "made", how, ["length", "case"]))) <= 41
    skipped = next(reading.chunks(tmp_path / "made", how, ["length", "case"], skip=1_995))
    assert (skipped.first, len(skipped)) == (1_996, 5)


def test_parquet_whose_pages_are_too_large_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    plain = {"case": ["z" * 500_000] * 400}
    assert "larger than 64 MB" in refusal(
        tmp_path, parquet(tmp_path, plain, use_dictionary=False), "rows.parquet"
    )
    lists = {"case": [[1.5] * 3_000_000] * 4}
    assert "lists in column “case" in refusal(tmp_path, parquet(tmp_path, lists), "rows.parquet")


def test_small_row_groups_of_parquet_are_read_together(tmp_path: Path) -> None:
    parquet(tmp_path, {"case": ["a", "b", None] * 1_000, "a.b": [{"c": b"x"}] * 3_000}, row_group_size=70)
    how, names = reading.How("parquet"), ["length", "case", "a.b"]
    found = list(reading.chunks(tmp_path / "made", how, names, skip=100))
    assert [len(c) for c in found] == [2_000, 900] and found[0].columns[1][:3] == ["b", None, "a"]


ODD = [
    0.0, -0.0, 5.0, 30.0, 30.1, -1.0, 10.0, 1, 7, True, None,
    "5", "red", "none", float("nan"), float("inf"), 1e31, [1], {}, 2**60, 2, 2.0,
]  # fmt: skip


def test_columns_are_checked_as_rows_are() -> None:

    cells = [ABSENT, *ODD]
    rows = list(
        itertools.product(cells, cells[:9], (ABSENT, True, "x"), ("red", "odd", None, ABSENT), (1, 2.0, True))
    )
    rows = rows[::7]
    together = check_columns(SCHEMA, list(zip(*rows, strict=True)))
    for cells_of, found in zip(rows, together, strict=True):
        row = {n: c for n, c in zip(SCHEMA.names, cells_of, strict=True) if c is not ABSENT}
        alone = SCHEMA.check(row, "#")
        assert (found.problems, found.warnings, found.defaulted) == (
            alone.problems,
            alone.warnings,
            alone.defaulted,
        )
        if not alone.problems:
            assert repr(found.values) == repr(alone.values), json.dumps(row, default=str)
