"""What operators type to erase, to restrict, and to say for how long records are kept."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.erasing import fill
from tests.test_cli import run
from webapp.db import Event, Prediction
from webapp.db.base import session
from webapp.services import retention
from webapp.services.retention import Rule


def states() -> list[str]:
    session().rollback()
    return [row.state for row in session().query(Prediction).order_by(Prediction.seq)]


def one(days: float = 400) -> str:
    return fill(session(), 1, lambda _: {"subject": "case-7"}, days=days)[0]


def test_a_record_is_shown_and_erased_once_it_is_typed(app: Flask) -> None:
    record = one()
    status, said = run(app, f"erase {record} --basis lgpd-18-vi", "no\n")
    assert status == 1 and "1 record, asked from" in said and "--typed" not in said
    assert states() == ["active"] and "must be ERASE" in said
    status, said = run(app, f"erase {record} --basis lgpd-18-vi", "ERASE\n")
    event = session().query(Event).filter_by(kind="erasure").one()
    assert (status, states()) == (0, ["erased"])
    assert said.endswith(f"Erased 1 record; on the record as {event.id}\n") and event.user_id is None


def test_all_about_a_subject_is_erased_without_a_question(app: Flask) -> None:
    fill(session(), 3, lambda i: {"subject": "case-7" if i else None})
    status, said = run(app, "erase --subject case-7 --basis gdpr-17-1-b --requested-by authority --yes")
    assert status == 0 and "Erased 2 records" in said and states() == ["active", "erased", "erased"]


def test_a_young_record_needs_an_option(app: Flask) -> None:
    record = one(days=3)
    status, said = run(app, f"erase {record} --basis lgpd-16 --yes")
    assert status == 1 and "must be kept for 183 days" in said and states() == ["active"]
    status, said = run(app, f"erase {record} --basis lgpd-16 --despite-floor", "ERASE\n")
    assert status == 1 and states() == ["active"]
    assert run(app, f"erase {record} --basis lgpd-16 --despite-floor --yes")[0] == 0
    assert states() == ["erased"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("erase --basis lgpd-16 --yes", "RECORD_ID: give either"),
        ("erase pred_1 --subject x --basis lgpd-16 --yes", "RECORD_ID: give either"),
        ("erase pred_1 --basis lgpd-16 --yes", "There is no record pred_1"),
        ("erase --subject nobody --basis lgpd-16 --yes", "nothing on the record"),
        ("erase --subject case-7 --basis wish --yes", "--basis: must be one of lgpd-18-iv"),
        ("erase --subject case-7 --basis other --yes", "--reason: is required"),
        (
            "erase --subject case-7 --basis lgpd-16 --reason about.case-7 --yes",
            "--reason: names the reference",
        ),
        ("erase --subject case-7 --basis lgpd-16 --requested-by me --yes", "--requested-by: must be"),
        ("restrict --subject case-7", "--reason: is required"),
        ("restrict --subject case-7 --reason claim --until 2020-01-01", "--until: is over already"),
        ("restrict --subject case-7 --lift", "Nothing of it is restricted"),
        ("restrict --subject nobody --reason claim", "nothing to restrict"),
        ("retention --days 0", "--days: must be 1 to"),
        ("retention --days 100 --yes", "--days: must be at least 183"),
        ("retention --floor-days -1", "--floor-days: must be 0"),
    ],
)
def test_a_refusal_is_told_and_changes_nothing(app: Flask, line: str, why: str) -> None:
    one()
    status, said = run(app, line)
    assert status == 1 and said.splitlines()[-1].startswith("Error: ") and why in said
    assert states() == ["active"] and retention.rule(None) == Rule(None, 183)


def test_records_are_restricted_and_lifted(app: Flask) -> None:
    record = one()
    status, said = run(app, f"restrict {record} --reason claim --until 2090-01-31")
    assert (status, said) == (0, "Restricted 1 record until 2090-01-31 UTC.\n")
    status, said = run(app, f"erase {record} --basis lgpd-16 --yes")
    assert status == 1 and "restricted until 2090-01-31 UTC (claim)" in said
    status, said = run(app, f"restrict {record} --lift")
    assert (status, said) == (0, "Lifted the restriction of 1 record.\n")


def test_the_rule_is_told_and_set(app: Flask) -> None:
    one()
    status, said = run(app, "retention")
    assert (status, said) == (0, "Records are kept for ever; before 183 days nothing is erased on request.\n")
    status, said = run(app, "retention --days 365", "n\n")
    assert status == 1 and "1 record, asked from" in said and retention.rule(None).days is None
    status, said = run(app, "retention --days 365 --yes")
    assert status == 0 and said.endswith(
        "Records are kept for 365 days, then erased; before 183 days nothing is erased on request.\n"
    )
    assert run(app, "retention --days 365 --keep")[0] == 2
    assert run(app, "retention --floor-days 30", "no\n")[0] == 1
    assert run(app, "retention --floor-days 30", "LESS THAN SIX MONTHS\n")[0] == 0
    assert run(app, "retention --keep")[0] == 0
    session().rollback()
    assert retention.rule(None) == Rule(None, 30)
