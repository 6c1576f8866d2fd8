"""Why a class was answered that need not be the most probable one."""

from __future__ import annotations

from flask_babel import gettext

from webapp.services.history import Record
from webapp.web.words import percent

#: As many decimals of a percentage as two shares may need to be told apart.
MOST_DECIMALS = 6


def settled(record: Record) -> str:
    """What the threshold of a version did to an answer; empty where it has none."""
    threshold = record.threshold
    if not threshold:
        return ""
    label, share = str(threshold["label"]), (record.probabilities or {}).get(threshold["label"], 0.0)
    told, limit = apart(share, threshold["at_least"])
    if threshold["reached"]:
        text = gettext("Answered as %(label)s because %(share)s is at least %(limit)s, its threshold in this version.",
                       label=label, share=told, limit=limit)  # fmt: skip
    elif label == record.label:
        text = gettext("No class reaches its threshold in this version; this is the most probable one.")
    else:
        text = gettext("Not answered as %(label)s because %(share)s is below %(limit)s, its threshold in this version.",
                       label=label, share=told, limit=limit)  # fmt: skip
    return str(text)


def apart(share: float, limit: float) -> tuple[str, str]:
    """Both in percent, with as many decimals as it takes to see which is the larger."""
    for decimals in range(1, MOST_DECIMALS):
        pair = percent(share, decimals), percent(limit, decimals)
        if share == limit or pair[0] != pair[1]:
            return pair
    return percent(share, MOST_DECIMALS), percent(limit, MOST_DECIMALS)


GLOBALS = {"settled": settled}
