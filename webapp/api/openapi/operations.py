"""How an operation is written down: parameters, requests, answers, links and the problems it can end in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webapp.api.openapi.schemas import NAME, TEXT, Schema, object_of, ref
from webapp.doors import METHOD, STATUS, UNEXPECTED

Node = dict[str, Any]
#: Path → method → operation.
Routes = dict[str, dict[str, Node]]

JSON, PROBLEM, FORM = "application/json", "application/problem+json", "multipart/form-data"
#: What any operation can end in, and what one that reads a body can end in besides.
ALWAYS, WITH_BODY = (400, 405, 429, 500, 503), (413, 415, 422)
SIGNED_IN: list[dict[str, list[str]]] = [{"bearer": []}]
SCHEMAS: dict[str, Schema] = {
    "Problem": {
        **object_of(
            {
                "type": {**TEXT, "description": "Address of a page that explains it, or about:blank."},
                "title": TEXT,
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {**TEXT, "description": "What was wrong, and what to do."},
                "instance": {**TEXT, "description": "Names the request in the server's log."},
            },
            {
                "errors": {
                    "type": "array",
                    "items": object_of(
                        {
                            "pointer": {**TEXT, "description": "JSON pointer into what was sent."},
                            "detail": TEXT,
                        }
                    ),
                }
            },
        ),
        "description": "RFC 9457.",
    }
}
HEADERS: dict[str, Node] = {
    "RequestId": {
        "description": "Names the request in the server's log and, of a prediction, on its record.",
        "required": True,
        "schema": {**TEXT, "pattern": "^[0-9a-f]{24}$"},
    },
    "Location": {"description": "Address of what was made.", "required": True, "schema": TEXT},
    "ETag": {
        "description": "Names this state; send it as If-Match with a change that is decided upon it.",
        "required": True,
        "schema": {**TEXT, "pattern": '^"[0-9]{1,10}"$'},
    },
    "Tag": {
        "description": "Changes with what is answered.",
        "required": True,
        "schema": {**TEXT, "pattern": '^"[!#-~]+"$'},
    },
    "Link": {
        "description": "RFC 8288: first, and next and prev where there are such pages.",
        "required": True,
        "schema": TEXT,
    },
    "RetryAfter": {
        "description": "Seconds after which to try again.",
        "required": True,
        "schema": {**TEXT, "pattern": "^[0-9]{1,9}$"},
    },
    "PreferenceApplied": {"description": "RFC 7240.", "required": True, "schema": {"const": "respond-async"}},
    "Authenticate": {"description": "RFC 6750.", "required": True, "schema": TEXT},
    "Allow": {"description": "Methods that the address takes.", "required": True, "schema": TEXT},
}
_OF_PROBLEM = {
    401: {"WWW-Authenticate": "Authenticate"},
    405: {"Allow": "Allow"},
    429: {"Retry-After": "RetryAfter"},
    503: {"Retry-After": "RetryAfter"},
}


def problems() -> dict[str, Node]:
    """The answers that tell of a problem, by the name among the components: one for each status."""
    titles: dict[int, list[str]] = {}
    for status in (*STATUS.values(), METHOD, UNEXPECTED):
        titles.setdefault(status.code, []).append(str(status.title))
    return {
        f"Problem{code}": {
            "description": "; ".join(told),
            "headers": _headers(_OF_PROBLEM.get(code, {})),
            "content": {PROBLEM: {"schema": ref("Problem")}},
        }
        for code, told in titles.items()
    }


def operation(
    operation_id: str,
    summary: str,
    *,
    answers: dict[str, Node],
    errors: Iterable[int] = (),
    body: Node | None = None,
    parameters: Iterable[Node | str] = (),
    security: list[dict[str, list[str]]] = SIGNED_IN,
) -> Node:
    """An operation; `errors` are the statuses it can end in besides 401, ALWAYS and, with a body, WITH_BODY."""
    codes = {*errors, *ALWAYS, *(WITH_BODY if body else ()), *((401,) if security else ())}
    told = {str(code): {"$ref": f"#/components/responses/Problem{code}"} for code in sorted(codes)}
    made: Node = {
        "operationId": operation_id,
        "summary": summary,
        "security": security,
        "parameters": list(parameters),
        "responses": {**answers, **told},
    }
    if body:
        made["requestBody"] = body
    return made


def answer(
    description: str,
    schema: Schema | None = None,
    *,
    media: str = JSON,
    headers: dict[str, str] | None = None,
    links: dict[str, Node] | None = None,
) -> Node:
    """An answer; `headers` by name, each the name of one among the components."""
    made: Node = {"description": description, "headers": _headers(headers or {})}
    if schema:
        made["content"] = {media: {"schema": schema}}
    if links:
        made["links"] = links
    return made


def _headers(names: dict[str, str]) -> Node:
    found = {"X-Request-Id": "RequestId", **names}
    return {name: {"$ref": f"#/components/headers/{found[name]}"} for name in found}


def link(operation_id: str, **parameters: str) -> Node:
    """Where an answer leads: another operation, with values found in this request or answer."""
    return {"operationId": operation_id, "parameters": parameters}


def request(schema: Schema, example: Any = None, *, media: str = JSON, required: bool = True) -> Node:
    """The body of a request, and one that can be sent as it stands."""
    shown = {} if example is None else {"example": example}
    return {"required": required, "content": {media: {"schema": schema, **shown}}}


def in_path(name: str, schema: Schema, **more: Any) -> Node:
    """A parameter in the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema, **more}


def in_query(name: str, schema: Schema, **more: Any) -> Node:
    """A parameter of the query."""
    return {"name": name, "in": "query", "schema": schema, **more}


#: Of a record, a batch, a submission, a comparison, an event.
ID = in_path("id", {**TEXT, "maxLength": 49})
#: By name, as apispec refers to parameters among the components.
MODEL, VERSION, LIMIT, CURSOR, IF_MATCH = "Model", "Version", "Limit", "Cursor", "IfMatch"
NUMBER_OF_VERSION: Schema = {**TEXT, "pattern": "^[0-9]{1,8}$"}


def parameters(model: str | None) -> dict[str, Node]:
    """Parameters that several operations take, by the name among the components; `model` is one to show."""
    shown = {"example": model} if model else {}
    return {
        "Model": in_path("model", NAME, **shown),
        "Version": in_path("version", NUMBER_OF_VERSION, **({"example": "1"} if model else {})),
        "Limit": in_query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        "Cursor": in_query("cursor", TEXT, description="`next_cursor` of the page before."),
        "IfNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "schema": TEXT,
            "description": "The ETag of an earlier answer; nothing is sent where it is still the one of now.",
        },
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "required": True,
            "schema": {**TEXT, "pattern": '^("[0-9]{1,10}"|[*])$'},
            "description": "The ETag of the releases that the decision was made upon, or *.",
            "example": "*",
        },
    }
