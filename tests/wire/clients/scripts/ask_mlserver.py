"""`mlserver infer`: the requests of a file, one a line, sent as the command line does."""

import json
from pathlib import Path

from cases import CannotSay, answer, columns, datatype
from mlserver.cli.main import root
from mlserver.types import InferenceResponse


def tensor(name, values):
    kind = datatype(values)
    if kind == "BYTES" and None in values:
        raise CannotSay("texts beside a missing one would go out cut")
    return {"name": name, "shape": [len(values)], "datatype": kind, "data": values}


def request(case):
    if "matrix" in case:
        rows = case["matrix"]
        inputs = [{"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}]
    else:
        inputs = [tensor(name, values) for name, values in columns(case["rows"]).items()]
    return {"id": "asked-42", "inputs": inputs, "outputs": [{"name": name} for name in case["outputs"]]}


def ask(case):
    asked, answered = Path("asked.jsonl"), Path("answered.jsonl")
    asked.write_text(json.dumps(request(case)) + "\n")
    header = ["-H", f"Authorization: Bearer {case['token']}"] if case["token"] else []
    binary = ["--binary-data"] if case["binary"] else []
    address = ["-u", case["url"].removeprefix("http://"), "-m", case["model"]]
    files = ["-i", str(asked), "-o", str(answered)]
    root.main(["infer", *address, *files, *header, *binary, "-r", "1"], standalone_mode=False)
    (line,) = answered.read_text().splitlines()
    if "error" in json.loads(line):
        raise RuntimeError(json.loads(line)["error"]["msg"])
    told = InferenceResponse.model_validate_json(line)
    assert told.id == "asked-42" and told.model_version == "1"
    return {output.name: told_of(output.shape, list(output.data)) for output in told.outputs}


def told_of(shape, data):
    return data if shape[1] == 1 else [data[i : i + shape[1]] for i in range(0, len(data), shape[1])]


def refusal(error):
    return (None, str(error)) if isinstance(error, RuntimeError) else None


if __name__ == "__main__":
    answer(ask, refusal)
