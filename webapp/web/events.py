"""How pages call the events on the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import url_for
from flask_babel import gettext, lazy_gettext, ngettext
from markupsafe import Markup, escape

from webapp.web.agents import agent_words
from webapp.web.words import moment, named, thousands

KINDS = {
    "sign-in": lazy_gettext("Signed in"),
    "sign-in-refused": lazy_gettext("Sign-in refused"),
    "sign-out": lazy_gettext("Signed out"),
    "sign-ins-ended": lazy_gettext("Sign-ins ended"),
    "token-created": lazy_gettext("Token made"),
    "token-reused": lazy_gettext("Refresh token shown twice"),
    "user-created": lazy_gettext("Account made"),
    "user-disabled": lazy_gettext("Account disabled"),
    "user-enabled": lazy_gettext("Account enabled"),
    "role-changed": lazy_gettext("Role changed"),
    "password-changed": lazy_gettext("Password changed"),
    "password-reset": lazy_gettext("Password reset"),
    "reset-link-made": lazy_gettext("Password link made"),
    "second-factor-on": lazy_gettext("Second factor turned on"),
    "second-factor-off": lazy_gettext("Second factor turned off"),
    "second-factor-reset": lazy_gettext("Second factor reset"),
    "recovery-codes-made": lazy_gettext("Recovery codes made"),
    "recovery-code-used": lazy_gettext("Recovery code used"),
    "model-access": lazy_gettext("Model access changed"),
    "review": lazy_gettext("Answer reviewed"),
    "outcome": lazy_gettext("Outcome reported"),
    "publish": lazy_gettext("Version published"),
    "promote": lazy_gettext("Version promoted"),
    "rollback": lazy_gettext("Version rolled back"),
    "alias": lazy_gettext("Alias changed"),
    "version-damaged": lazy_gettext("Version found damaged"),
    "version-mended": lazy_gettext("Version found whole again"),
    "promotion-asked": lazy_gettext("Promotion asked for"),
    "promotion-refused": lazy_gettext("Promotion refused"),
    "promotion-withdrawn": lazy_gettext("Promotion withdrawn"),
    "release-rule": lazy_gettext("Rule of releases changed"),
    "experiment-started": lazy_gettext("Comparison begun"),
    "experiment-ended": lazy_gettext("Comparison ended"),
    "erasure": lazy_gettext("Records erased"),
    "restriction": lazy_gettext("Records restricted"),
    "restriction-lifted": lazy_gettext("Restriction lifted"),
    "retention-changed": lazy_gettext("Retention changed"),
    "export": lazy_gettext("Records exported"),
    "export-ended": lazy_gettext("Export ended"),
    "print": lazy_gettext("Records printed"),
    "seal-key": lazy_gettext("Sealing key changed"),
    "verification": lazy_gettext("Record verified"),
    "anchor": lazy_gettext("Checkpoint sent"),
    "anchor-failed": lazy_gettext("Checkpoint not sent"),
    "settings": lazy_gettext("Settings changed"),
    "backup": lazy_gettext("Backup made"),
    "restore": lazy_gettext("Database put back from a backup"),
}
FACTS = {
    "model": lazy_gettext("model"),
    "version": lazy_gettext("version"),
    "role": lazy_gettext("role"),
    "before": lazy_gettext("before"),
    "name": lazy_gettext("name"),
    "names": lazy_gettext("names"),
    "number": lazy_gettext("how many"),
    "people": lazy_gettext("people"),
    "restricted": lazy_gettext("restricted"),
    "live": lazy_gettext("answers"),
    "expires_us": lazy_gettext("until"),
    "why": lazy_gettext("because of"),
    "by": lazy_gettext("by"),
    "reason": lazy_gettext("reason"),
    "rows": lazy_gettext("rows"),
    "record": lazy_gettext("record"),
    "records": lazy_gettext("records"),
    "format": lazy_gettext("format"),
    "filter": lazy_gettext("filter"),
    "columns": lazy_gettext("columns"),
    "whole": lazy_gettext("whole"),
    "action": lazy_gettext("decision"),
    "source": lazy_gettext("through"),
    "channel": lazy_gettext("to"),
    "size": lazy_gettext("entries"),
    "altered": lazy_gettext("altered"),
    "sound": lazy_gettext("result"),
    "undecided": lazy_gettext("not decided"),
    "anchored": lazy_gettext("anchored"),
    "key": lazy_gettext("key"),
    "settings": lazy_gettext("settings"),
    "verdict": lazy_gettext("verdict"),
    "basis": lazy_gettext("basis"),
    "requested_by": lazy_gettext("requested by"),
    "despite_floor": lazy_gettext("before its time"),
    "by_subject": lazy_gettext("all about a subject"),
    "reapplied": lazy_gettext("again, after an older copy of the database was restored"),
    "events": lazy_gettext("entries of exports and prints"),
    "expired": lazy_gettext("its time is over"),
    "until_us": lazy_gettext("until"),
    "scope": lazy_gettext("of"),
    "from": lazy_gettext("from"),
    "to": lazy_gettext("to"),
    "entries": lazy_gettext("entries"),
    "lost_after": lazy_gettext("entries lost after"),
    "signed": lazy_gettext("signed before"),
    "backup": lazy_gettext("backup of"),
    "file": lazy_gettext("file"),
    "files": lazy_gettext("files"),
    "bytes": lazy_gettext("bytes"),
    "with_keys": lazy_gettext("with the secret keys"),
    "alias": lazy_gettext("alias"),
    "tried": lazy_gettext("reference rows answered again"),
    "asked_by": lazy_gettext("asked by"),
    "remark": lazy_gettext("remark"),
    "two_people": lazy_gettext("by two people"),
    "experiment": lazy_gettext("comparison"),
    "comparison": lazy_gettext("kind"),
    "champion": lazy_gettext("champion"),
    "challenger": lazy_gettext("challenger"),
    "share": lazy_gettext("share"),
    "with_files": lazy_gettext("with the files of batches"),
}
VALUES = {
    "code": lazy_gettext("the code"),
    "link": lazy_gettext("a link"),
    "confirmed": lazy_gettext("confirmed"),
    "overridden": lazy_gettext("overridden"),
    "subject": lazy_gettext("one data subject"),
    "shadow": lazy_gettext("shadow"),
    "split": lazy_gettext("A/B test"),
    "file": lazy_gettext("a file"),
    "email": lazy_gettext("e-mail"),
    "webhook": lazy_gettext("a webhook"),
}
#: Told only where they are so.
SPECIAL = frozenset({"despite_floor", "by_subject", "reapplied", "expired", "undecided"})
#: Of use to who verifies the record, not to who reads this page.
HIDDEN = frozenset(
    {"account", "artifact", "manifest", "schema", "note", "export", "what", "request", "largest", "salt"}
)
LONGEST = 200


def event_words(kind: str) -> str:
    """A kind of event in the reader's language; one without a word by its name."""
    return str(KINDS.get(kind, kind.replace("-", " ")))


def fact_words(facts: dict[str, Any] | None) -> Markup:
    """What an event tells besides whom it is about."""
    if facts is None:
        return escape(gettext("erased"))
    shown = [
        Markup("{} <b>{}</b>").format(FACTS.get(word, word.replace("_", " ")), _value(word, value))
        for word, value in facts.items()
        if word not in HIDDEN and value not in (None, "", [], {}) and (value or word not in SPECIAL)
        if word != "sound" or not facts.get("undecided")
    ]
    return Markup(" · ").join(shown)


def _value(word: str, value: Any) -> Any:
    if word.endswith("_us") and isinstance(value, int):
        return moment(value)
    if word in SPECIAL:
        return ""
    if word == "sound":
        return gettext("nothing altered") if value else gettext("something is altered")
    if word in ("basis", "requested_by"):
        return named("basis" if word == "basis" else "requester", str(value))
    if isinstance(value, dict) and "floor_days" in value:
        return _rule(value)
    if isinstance(value, list) and word in ("records", "events"):
        return thousands(len(value))
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, dict):
        return ", ".join(f"{key}={text}" for key, text in value.items())[:LONGEST]
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)[:LONGEST]
    if word in ("role", "before"):
        return named("role", str(value))
    if word == "verdict":
        return named("verdict", str(value))
    if word == "source":
        return named("channel", str(value))
    if word == "record":
        address = url_for("history.record", record_id=value)
        return Markup('<a href="{}">{}…</a>').format(address, str(value)[:16])
    return VALUES.get(str(value), str(value)[:LONGEST])


def _rule(rule: dict[str, Any]) -> str:
    days, floor = rule["days"], rule["floor_days"]
    kept = gettext("for ever") if days is None else ngettext("%(num)d day", "%(num)d days", days)
    least = ngettext("%(num)d day", "%(num)d days", floor)
    return str(gettext("%(kept)s (not less than %(floor)s)", kept=kept, floor=least))


FILTERS: dict[str, Callable[..., Any]] = {"event": event_words, "facts": fact_words, "agent": agent_words}
