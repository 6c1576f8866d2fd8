"""What the scripts of all clients share: cases come in by name, and what each client made of them goes out."""

import json
import sys


class CannotSay(Exception):
    """The client has no way to send this; the message says why."""


def answer(ask, refusal, calls=None):
    """Print {"ways": [name → outcome, …], "calls": name → what the client's other calls gave}.

    An outcome is what `ask(case)` gives, {"refused": status, "said": text} where it raised what `refusal` knows how
    to read (it gives None for anything else), or {"cannot": why}. `calls` takes all that was given.
    """
    given = json.load(sys.stdin)
    ways = [{name: _outcome(ask, refusal, case) for name, case in way.items()} for way in given["ways"]]
    json.dump({"ways": ways, "calls": calls(given) if calls else {}}, sys.stdout)


def columns(rows):
    """Column → its values, in the order in which the rows name them; without those that hold nothing but gaps."""
    told = {name: [row[name] for row in rows] for name in rows[0]}
    return {name: values for name, values in told.items() if set(values) != {None}}


def datatype(values):
    """The tensor datatype of a column, whose values are of one type but for gaps."""
    kind = next(type(value) for value in values if value is not None)
    return {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}[kind]


def _outcome(ask, refusal, case):
    try:
        return ask(case)
    except CannotSay as why:
        return {"cannot": str(why)}
    except Exception as error:
        told = refusal(error)
        if told is None:
            raise
        return {"refused": told[0], "said": told[1]}
