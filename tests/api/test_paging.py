"""Lists in pages: links, cursors, and what comes and goes while somebody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, insert
from werkzeug.http import parse_options_header

from tests.conftest import ApiClient
from webapp.db import Job, Model, ModelVersion, Prediction, Submitted, User
from webapp.db.base import session, transaction

Api = Callable[[str], ApiClient]
HELD, MOVED, LIMIT = 10_000, 1_000, 100
LISTS = {"predictions": Prediction, "jobs": Job, "submissions": Submitted}


class Shelf:
    """Rows of one list, put in and taken out without what would make them."""

    def __init__(self, name: str) -> None:
        user = session().query(User).filter_by(username="alice").one()
        model = session().query(Model).filter_by(name="iris").one()
        version = session().query(ModelVersion).filter_by(model_id=model.id).one()
        self.table: Any = LISTS[name]
        usual: dict[str, Any] = {"user_id": user.id, "created_us": 1, "moved_us": 1, "state": "cancelled"}
        of_model = {"model_id": model.id, "version_id": version.id}
        asked = {"finished_us": 1, "role": "analyst", "channel": "api", "engine": "onnx", "latency_us": 1}
        self.usual: dict[str, Any] = {
            "jobs": {**usual, **of_model, "file_name": "f", "file_bytes": 1, "on_error": "row"},
            "submissions": {**usual, "model": "iris", "files": "{}", "wishes": "{}"},
            "predictions": {
                **asked,
                **of_model,
                "user_id": user.id,
                "timings": "{}",
                "salts": b"",
                "warned": 0,
            },
        }[name]

    def put(self, numbers: range) -> list[str]:
        """Rows with these numbers; of records three share a microsecond."""
        rows = [{**self.usual, "id": f"row_{n:044x}"} for n in numbers]
        if self.table is Prediction:
            rows = [
                {**row, "created_us": n // 3, "request_id": f"r{n}"}
                for n, row in zip(numbers, rows, strict=True)
            ]
        with transaction() as s:
            s.execute(insert(self.table), rows)
        return [row["id"] for row in rows]

    def take(self, ids: list[str]) -> None:
        with transaction() as s:
            s.execute(delete(self.table).where(self.table.id.in_(ids)))


def links(header: str) -> dict[str, str]:
    """Relation → path below /api/v1."""
    found = {}
    for link in header.split(", "):
        target, options = parse_options_header(link)
        found[options["rel"]] = target.strip("<>").removeprefix("/api/v1")
    return found


def pages(api: ApiClient, path: str, rel: str = "next") -> Iterator[tuple[list[str], dict[str, str]]]:
    """Ids and links of each page from a path on, as the links lead."""
    shown = {"Authorization": f"Bearer {api.token}"}
    while path:
        answer = api.client.get(f"/api/v1{path}", headers=shown)
        assert answer.status_code == 200, answer.text
        found = links(answer.headers["Link"])
        assert ("next" in found) == answer.json["has_more"] == (answer.json["next_cursor"] is not None)
        yield [one["id"] for one in answer.json["data"]], found
        path = found.get(rel, "")


@pytest.mark.parametrize("name", LISTS)
def test_whoever_reads_while_rows_come_and_go_sees_each_that_stayed_once(
    app: Flask, api: Api, name: str
) -> None:
    shelf, alice = Shelf(name), api("alice")
    held = shelf.put(range(HELD))
    going = held[7 :: HELD // MOVED] if name != "predictions" else []  # records are erased, never taken out
    seen, stayed, came = list[str](), set(held) - set(going), 0
    share = MOVED // ((HELD - MOVED) // LIMIT)
    for ids, _ in pages(alice, f"/{name}?limit={LIMIT}"):
        seen += ids
        shelf.put(range(HELD + came, HELD + came + share))
        shelf.take(going[came : came + share])
        came += share
    assert [one for one in seen if one in stayed] == [one for one in reversed(held) if one in stayed]
    assert len(seen) == len(set(seen)) and came >= MOVED


@pytest.mark.parametrize("name", LISTS)
def test_links_lead_there_and_back_and_keep_the_words(app: Flask, api: Api, name: str) -> None:
    shelf, alice = Shelf(name), api("alice")
    held = shelf.put(range(7))[::-1]
    kept = "model=iris&limit=3" if name == "predictions" else "limit=3"
    there = list(pages(alice, f"/{name}?{kept}"))
    assert [ids for ids, _ in there] == [held[:3], held[3:6], held[6:]]
    assert [sorted(found) for _, found in there] == [
        ["first", "next"],
        ["first", "next", "prev"],
        ["first", "prev"],
    ]
    assert all(found["first"] == f"/{name}?{kept}" for _, found in there)
    assert all(kept in target for _, found in there for target in found.values())
    back = list(pages(alice, there[2][1]["prev"], "prev"))
    assert [ids for ids, _ in back] == [held[3:6], held[:3]]
    shelf.take(held[3:4])  # the row that a cursor names is gone: what is beyond it stays
    assert next(pages(alice, there[0][1]["next"]))[0] == held[4:7]


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_that_is_forged_or_of_another_list_is_refused(app: Flask, api: Api, name: str) -> None:
    alice, dave = api("alice"), api("dave")
    for other in LISTS:
        Shelf(other).put(range(3))
    cursors = {n: alice("GET", f"/{n}?limit=1")[1]["next_cursor"] for n in LISTS}
    mine = cursors.pop(name)
    body, _, signature = mine.rpartition(".")
    forged = [f"{body}A.{signature}", f"{mine}x", body, "1", "row_2", ".", "%00", *cursors.values()]
    for cursor in forged:
        status, told = alice("GET", f"/{name}?cursor={cursor}")
        assert (status, told["type"]) == (400, "/api/v1/docs/errors#malformed"), cursor
    assert dave("GET", f"/{name}?cursor={mine}")[0] == 400  # who sees the same rows, and more
    assert alice("GET", f"/{name}?cursor={mine}")[0] == 200
