"""The OpenAPI document of all that is served, made from the tables that the server runs on.

Request bodies list the fields of the field contract, closed. The type of a field is stated where
the guard relies on it; all else is the model server's to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from guard.api.contract import Contract, contracts, fate
from guard.api.endpoint import Endpoint
from guard.api.surface import MAX_LANES

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_TEXTS: Json = {"type": "array", "items": _TEXT, "minItems": 1}
_OBJECTS: Json = {"type": "array", "items": {"type": "object"}, "minItems": 1}
_TOKENS: Json = {"type": "array", "items": {"type": "integer"}}

# What the guard checks itself, whatever the endpoint.
_COMMON: Mapping[str, Json] = {
    "model": {"type": "string", "minLength": 1},
    "stream": {"type": ["boolean", "null"]},
    "n": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_LANES},
    "stream_options": {"type": ["object", "null"]},
}
_MESSAGES: Json = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["role"],
        "properties": {"role": _TEXT, "content": {"type": ["string", "array", "null"]}},
    },
}
_MAIN: Mapping[str, Mapping[str, Json]] = {
    "chat": {"messages": _MESSAGES},
    "completions": {"prompt": {"anyOf": [_TEXT, _TEXTS, _TOKENS, {"type": "array"}]}},
    "responses": {"input": {"anyOf": [_TEXT, _OBJECTS]}},
    "messages": {"messages": _MESSAGES},
    "embeddings": {"input": {"type": ["string", "array"]}},
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "chat": ("model", "messages"),
    "completions": ("model", "prompt"),
    "responses": ("model", "input"),
    "messages": ("model", "messages"),
    "embeddings": ("model",),  # and `input` or `messages`
}
_ERRORS: Mapping[str, str] = {
    "400": "The request is not served; an error of the model server about it",
    "401": "No key, or an unknown one",
    "403": "This key may not do that",
    "404": "Not served; unknown to the model server",
    "405": "Not this method",
    "408": "The body was not there in time",
    "413": "Larger than is served or checked",
    "422": "The model server's error about the request",
    "429": "A limit is reached",
    "500": "Internal error; an error of the model server",
    "502": "The model server failed",
    "503": "Could not be checked; try again later",
    "504": "The model server took too long",
}
_DETAILS: Json = {
    "type": "object",
    "required": ["message", "type"],
    "properties": {
        "message": _TEXT,
        "type": _TEXT,
        "param": {"type": ["string", "null"]},
        "code": {"type": ["string", "integer", "null"]},
    },
}
_SCHEMAS: Mapping[str, Json] = {
    "Error": {"type": "object", "required": ["error"], "properties": {"error": _DETAILS}},
    "MessagesError": {
        "type": "object",
        "required": ["type", "error"],
        "properties": {"type": {"const": "error"}, "error": _DETAILS},
    },
    "Answer": {"type": "object"},
}
FOR_ANYBODY: Json = {"security": []}
ROW_BODY: Json = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "id": {},
                    "prompt": {"type": ["string", "null"]},
                    "messages": {"anyOf": [_MESSAGES, {"type": "null"}]},
                    "output": {"type": ["string", "null"]},
                    "model": {"type": ["string", "null"]},
                    "key": {"type": ["string", "null"]},
                },
            }
        }
    },
}
"""A row of `guard check`: exactly one of prompt, messages and output."""
_KEYS: Mapping[str, Json] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def openapi_document(operators: Json, endpoints: Iterable[Endpoint], *, keys: bool) -> Json:
    """The document. `operators`: FastAPI's, of the routes that it serves; `keys`: whether this
    server asks for keys."""
    paths = {path: dict(item) for path, item in operators["paths"].items()}
    for endpoint in endpoints:
        paths[endpoint.path] = {"post": _operation(endpoint)}
    one = {"name": "model", "in": "path", "required": True, "schema": _TEXT}
    paths["/v1/models"] = {"get": _models("The models of the model server", [])}
    paths["/v1/models/{model}"] = {"get": _models("One model", [one])}
    document = {**operators, "paths": paths}
    document["components"] = {"schemas": dict(_SCHEMAS)}
    if keys:
        document["components"]["securitySchemes"] = dict(_KEYS)
        document["security"] = [{name: []} for name in _KEYS]
    return document


def error_responses(*statuses: int, schema: str = "Error") -> dict[int | str, Json]:
    """Errors that an operation may answer with."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        status: {"description": text, "content": content}
        for status, text in _ERRORS.items()
        if not statuses or int(status) in statuses
    }


def _operation(endpoint: Endpoint) -> Json:
    answer = {"schema": {"$ref": "#/components/schemas/Answer"}}
    content: Json = {"application/json": answer}
    if "stream" in endpoint.contract.fields:
        content["text/event-stream"] = {}  # events of the protocol, not one document
    schema = "MessagesError" if endpoint.name == "messages" else "Error"
    return {
        "tags": ["clients"],
        "operationId": endpoint.name,
        "summary": (type(endpoint).__doc__ or "").splitlines()[0],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _body(contracts()[endpoint.name])}},
        },
        "responses": {
            "200": {"description": "The answer, or a refusal", "content": content},
            **error_responses(schema=schema),
        },
    }


def _body(contract: Contract) -> Json:
    known = {**_COMMON, **_MAIN[contract.endpoint]}
    fields = [field for field in contract.fields.values() if field.kind != "refused"]
    return {
        "type": "object",
        "required": list(_NEEDED[contract.endpoint]),
        "additionalProperties": False,
        "properties": {
            field.name: {
                **known.get(field.name, {}),
                "description": f"{fate(field)}: {field.reason}",
                "x-guard": field.kind,
            }
            for field in fields
        },
    }


def _models(summary: str, parameters: list[Json]) -> Json:
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}
    return {
        "tags": ["clients"],
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "The model server's answer", "content": answer},
            **error_responses(400, 401, 404, 405, 429, 502, 504),
        },
    }
