"""Sends the examples of the OpenAPI document as they are written, with ids from the answers that lead to them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, NamedTuple

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Node = dict[str, Any]


class Operation(NamedTuple):
    """An operation of the document, where it is, and its parameters, looked up."""

    path: str
    method: str
    told: Node
    parameters: list[Node]

    @property
    def base(self) -> str:
        return "" if "servers" in self.told else "/api/v1"

    @property
    def name(self) -> str:
        return str(self.told["operationId"])


class Sender:
    """Asks the operations of a document; remembers where the links of every answer lead."""

    def __init__(self, document: Node, client: FlaskClient, files: Mapping[str, bytes]) -> None:
        self._document, self._client, self._files = document, client, files
        self._values: dict[str, dict[str, Any]] = {}
        self._bodies: dict[str, Node] = {}

    def operations(self) -> Iterator[Operation]:
        for path, methods in self._document["paths"].items():
            for method, told in methods.items():
                yield Operation(path, method, told, [self._found(p) for p in told.get("parameters", ())])

    def send(self, operation: Operation, token: str, **changes: str) -> TestResponse | None:
        """The answer; None where something is needed that no example and no link has given yet."""
        known, given = self._values.get(operation.name, {}), {}
        for parameter in operation.parameters:
            value = parameter.get("example", known.get(parameter["name"]))
            if value is not None:
                given[parameter["in"], parameter["name"]] = value
            elif parameter.get("required"):
                return None
        in_path = {name: value for (place, name), value in given.items() if place == "path"}
        headers = {name: str(value) for (place, name), value in given.items() if place == "header"}
        if {"bearer": []} in operation.told["security"]:
            headers["Authorization"] = f"Bearer {token}"
        body = self._body(operation, changes)
        if body is None:
            return None
        answer = self._client.open(
            operation.base + operation.path.format(**in_path),
            method=operation.method.upper(),
            query_string={name: value for (place, name), value in given.items() if place == "query"},
            headers=headers,
            **body,
        )
        self._follow(operation, answer, in_path)
        return answer

    def _found(self, node: Node) -> Node:
        if "$ref" not in node:
            return node
        return reduce(lambda at, part: at[part], node["$ref"].split("/")[1:], self._document)

    def _body(self, operation: Operation, changes: dict[str, str]) -> Node | None:
        if "requestBody" not in operation.told:
            return {}
        [(media, told)] = operation.told["requestBody"]["content"].items()
        example = self._bodies.get(operation.name, told.get("example"))
        if example is None:
            return None
        if media == "application/json":
            return {"json": example | changes}
        kinds = told["schema"]["properties"]
        form = {
            name: self._file(name, value) if kinds[name].get("format") == "binary" else value
            for name, value in example.items()
        }
        return {"data": form | changes, "content_type": media}

    def _file(self, name: str, value: str) -> tuple[io.BytesIO, str]:
        if value.startswith("@"):
            return io.BytesIO(self._files[value[1:]]), value[1:]
        return io.BytesIO(value.encode()), f"{name}.csv"

    def _follow(self, operation: Operation, answer: TestResponse, in_path: Node) -> None:
        told = operation.told["responses"].get(str(answer.status_code), {})
        for target in told.get("links", {}).values():
            found = {
                name.rpartition(".")[2]: _value(text, answer, in_path)
                for name, text in target["parameters"].items()
            }
            if None not in found.values():
                self._values.setdefault(target["operationId"], {}).update(found)
            if "requestBody" in target:
                body = {name: _value(text, answer, in_path) for name, text in target["requestBody"].items()}
                self._bodies[target["operationId"]] = body


def _value(expression: str, answer: TestResponse, in_path: Node) -> Any:
    where, _, pointer = expression.partition("#/")
    if where == "$response.body":
        at: Any = answer.json
        for part in pointer.split("/"):
            index = int(part) if isinstance(at, list) else part
            try:
                at = at[index]
            except (KeyError, IndexError, TypeError):
                return None
        return at
    name = expression.rpartition(".")[2]
    return answer.headers.get(name) if where.startswith("$response.header") else in_path[name]
