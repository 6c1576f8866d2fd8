"""Bodies that no honest program sends, each with the reason it is here."""

from __future__ import annotations

import json

GOOD = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def row(**changes: object) -> bytes:
    return json.dumps({"inputs": {**GOOD, **changes}}).encode()


def raw(value: str) -> bytes:
    """A good row with one value written by hand."""
    return row().replace(b"0.2", value.encode("utf-8", "surrogatepass"))


def values() -> dict[str, bytes]:
    numbers = {
        "NaN": "NaN", "infinity": "Infinity", "minus infinity": "-Infinity", "nan word": "nan", "1e999": "1e999",
        "-1e999": "-1e999", "digits": "9" * 5000, "negative digits": "-" + "9" * 5000, "2^53+1": str(2**53 + 1),
        "2^63": str(2**63), "2^64": str(2**64), "10^400": "1" + "0" * 400, "leading zero": "01", "plus": "+1",
        "hex": "0x10", "octal": "0o17", "underscore": "1_000", "bare point": ".5", "trailing point": "1.",
        "bare exponent": "1e", "comma": "0,2", "two minus": "--1", "fraction": "1/2",
    }  # fmt: skip
    texts = {
        "number in quotes": '"0.2"', "empty": '""', "space": '" "', "word": '"wide"', "full-width": '"０.２"',
        "arabic digits": '"٠٫٢"', "right to left": '"\u202e2.0"', "nul": '"\\u0000"', "lone surrogate": '"\\ud800"',
        "raw surrogate": '"\ud800"', "formula": '"=1+1"', "markup": '"<script>alert(1)</script>"',
        "template": '"{{ 7*7 }}"', "sql": '"\' OR 1=1 --"', "line breaks": '"1\\r\\nSet-Cookie: a=b"',
        "long": '"' + "x" * 1_000_000 + '"', "path": '"../../../../etc/passwd"', "control": '"\x01"',
        "bad escape": '"\\x41"', "cut escape": '"\\u12"', "single quotes": "'0.2'",
    }  # fmt: skip
    others = {
        "null": "null", "true": "true", "false": "false", "list": "[0.2]", "empty list": "[]", "object": '{"v": 0.2}',
        "empty object": "{}", "python none": "None", "python true": "True", "undefined": "undefined",
        "nested": "[" * 900 + "]" * 900, "too deep": "[" * 100_000 + "]" * 100_000,
        "deep object": '{"a":' * 2000 + "1" + "}" * 2000,
        "comment": "0.2 /* wide */", "trailing comma": "0.2,", "dollar": '{"$gt": 0}', "prototype": '{"__proto__": 1}',
    }  # fmt: skip
    return {name: raw(value) for name, value in {**numbers, **texts, **others}.items()}


def frames() -> dict[str, bytes]:
    good = row()
    return {
        "empty": b"",
        "space": b"   ",
        "nul byte": b"\x00",
        "bom": b"\xef\xbb\xbf" + good,
        "utf-16": good.decode().encode("utf-16"),
        "utf-16 without mark": good.decode().encode("utf-16-le"),
        "utf-32": good.decode().encode("utf-32"),
        "utf-7": good.decode().replace("{", "+AHs-").encode(),
        "latin-1": b'{"inputs": {"s\xe9pal": 1}}',
        "overlong": b'{"inputs": {"\xc0\x80": 1}}',
        "cut": good[:-3],
        "twice": good + good,
        "trailing": good + b"x",
        "null": b"null",
        "true": b"true",
        "number": b"1",
        "string": b'"inputs"',
        "list": b"[]",
        "list of rows": b"[" + good + b"]",
        "no inputs": b"{}",
        "both": b'{"inputs": {}, "instances": []}',
        "inputs null": b'{"inputs": null}',
        "inputs list": b'{"inputs": [5.1, 3.5, 1.4, 0.2]}',
        "inputs string": b'{"inputs": "5.1"}',
        "inputs number": b'{"inputs": 5}',
        "instances object": b'{"instances": {}}',
        "instances null": b'{"instances": null}',
        "instances empty": b'{"instances": []}',
        "instances of null": b'{"instances": [null]}',
        "instances of lists": b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}',
        "instances mixed": b'{"instances": [' + json.dumps(GOOD).encode() + b", 7]}",
        "too many": b'{"instances": [' + b",".join([b"{}"] * 10_001) + b"]}",
        "duplicate feature": good.replace(b'"petal_width"', b'"petal_length"'),
        "duplicate inputs": b'{"inputs": {}, "inputs": {}}',
        "duplicate by escape": b'{"inputs": {"a": 1, "\\u0061": 2}}',
        "duplicate deep": b'{"inputs": {"sepal_length": {"a": {"b": 1, "b": 2}}}}',
        "unknown field": b'{"inputs": {}, "user_id": 1}',
        "unknown feature": row(surprise=1),
        "feature as path": row(**{"../x": 1}),
        "feature with pointer": row(**{"a/b~c": 1}),
        "feature with nul": row(**{"\x00": 1}),
        "feature empty": row(**{"": 1}),
        "feature near": row(petal_lenght=1),
        "feature long": row(**{"x" * 100_000: 1}),
        "many features": row(**{f"f{i}": i for i in range(20_000)}),
        "version number": b'{"inputs": {}, "version": 1}',
        "version path": row()[:-1] + b', "version": "../1"}',
        "version digits": row()[:-1] + b', "version": "' + b"9" * 5000 + b'"}',
        "version unicode": row()[:-1] + ', "version": "²"}'.encode(),
        "version and alias": row()[:-1] + b', "version": "1", "alias": "live"}',
        "alias unknown": row()[:-1] + b', "alias": "nobody"}',
        "alias list": row()[:-1] + b', "alias": []}',
        "subject number": row()[:-1] + b', "subject": 7}',
        "subject empty": row()[:-1] + b', "subject": ""}',
        "subject long": row()[:-1] + b', "subject": "' + b"s" * 201 + b'"}',
        "subject turned": row()[:-1] + b', "subject": "a\\u202eb"}',
        "subject spaced": row()[:-1] + b', "subject": "a "}',
        "subject nul": row()[:-1] + b', "subject": "a\\u0000b"}',
        "subject surrogate": row()[:-1] + b', "subject": "\\ud800"}',
        "on_error other": row()[:-1] + b', "on_error": "ignore"}',
        "on_error list": row()[:-1] + b', "on_error": []}',
        "explain word": row()[:-1] + b', "explain": "yes"}',
        "form": b"sepal_length=5.1&sepal_width=3.5",
        "xml": b"<inputs><sepal_length>5.1</sepal_length></inputs>",
        "yaml": b"inputs:\n  sepal_length: 5.1\n",
        "pickle": b"cos\nsystem\n(S'true'\ntR.",
        "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 40,
    }


BODIES = {
    **{f"value: {k}": v for k, v in values().items()},
    **{f"frame: {k}": v for k, v in frames().items()},
}
EVERY_FEATURE = {
    f"{feature}: {name}": json.dumps({"inputs": {**GOOD, feature: value}}).encode()
    for feature in GOOD
    for name, value in {
        "true": True, "null": None, "text": "5.1", "list": [5.1], "object": {}, "big": 2**60, "far": 1e300,
        "negative": -1e9, "empty": "", "nul": "\x00", "word": "wide", "nested": [[[]]],
    }.items()
}  # fmt: skip
BODIES |= EVERY_FEATURE
for n, alone in enumerate(b'{}[]":,0123456789+-.eEtfnu\\/ \t\r\n\x00\x7f\x80\xff'):
    BODIES[f"byte {alone:#04x} alone"] = bytes([alone])
    BODIES[f"byte {alone:#04x} before the end"] = row()[:-1] + bytes([alone]) * (2 + n % 3)
for at in range(len(row())):
    BODIES[f"cut at {at}"] = row()[:at]
