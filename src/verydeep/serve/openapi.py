"""The parts of the OpenAPI document that types do not tell: bodies with images, answers, problems."""

from collections.abc import Iterator, Mapping
from typing import Any

from verydeep.serve.problems import MEDIA_TYPE

PROTECTED = ("/v1/", "/metrics")
"""The paths that need the token, where there is one; the page, which asks for it, does not."""

_IMAGE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "minItems": 1, "items": _IMAGE["schema"]}},
    }
}
_JSON = {
    "schema": {
        "type": "object",
        "additionalProperties": False,
        "required": ["images"],
        "properties": {
            "images": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["content"],
                    "properties": {
                        "file": {"type": "string"},
                        "content": {"type": "string", "format": "byte"},
                    },
                },
            }
        },
    }
}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": _FORM,
        "application/json": _JSON,
        "application/octet-stream": _IMAGE,
        "image/*": _IMAGE,
    },
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def _answers(properties: dict[str, Any]) -> dict[str, Any]:
    """A list with an object for each image, which has ``error`` where the image cannot be read."""
    properties = {"file": {"type": "string"}, "error": {"type": "string"}} | properties
    item = {"type": "object", "required": ["file"], "properties": properties}
    schema = {"type": "array", "items": item}
    return {
        "200": {
            "description": "One object for each image",
            "content": {"application/json": {"schema": schema}},
        }
    }


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}


PROBLEMS: dict[int | str, dict[str, Any]] = {"default": _problem("A problem (RFC 9457)")}
BUSY: dict[int | str, dict[str, Any]] = {
    503: {
        **_problem(
            "The queue or the memory for uploads is full, the deadline passed, or a process is not ready"
        ),
        "headers": {
            "Retry-After": {
                "description": "Seconds after which to try again",
                "required": True,
                "schema": {"type": "integer"},
            }
        },
    }
}
REFUSED: dict[int | str, dict[str, Any]] = {
    413: _problem("Too many bytes, pixels or images"),
    415: _problem("A content type, or a file, that is no image"),
    422: _problem("An image that is truncated or corrupt; a parameter out of range; a broken form"),
    **BUSY,
}
"""Of requests with images."""
PREDICT = {
    "requestBody": _BODY,
    "responses": _answers(
        {
            "label": {"type": "string"},
            "confidence": {"type": "number"},
            "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
            "rejected": {"type": "string"},
            "heat_map": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("method", "label", "png")},
            },
        }
    ),
}
EMBED = {
    "requestBody": _BODY,
    "responses": _answers({"embedding": {"type": "array", "items": {"type": "number"}}}),
}


def add_token(document: dict[str, Any]) -> None:
    """Say in ``document`` which routes need the bearer token."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        if path.startswith(PROTECTED):
            for operation in operations.values():
                operation["security"] = [{"token": []}]
                operation["responses"]["401"] = _problem("The token is missing or wrong")


def route_descriptions(document: Mapping[str, Any], address: str) -> Iterator[dict[str, Any]]:
    """What the page of the API says about each route of the server at ``address``."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            bodies = operation.get("requestBody", {}).get("content", {})
            needs_token = "security" in operation
            token = '-H "Authorization: Bearer $TOKEN" ' if needs_token else ""
            form = "-F file=@photo.jpg " if bodies else ""
            yield {
                "method": method.upper(),
                "path": path,
                "paragraphs": operation["description"].split("\n\n"),
                "needs_token": needs_token,
                "bodies": list(bodies),
                "parameters": [
                    (each["name"], _values(each["schema"]), each["schema"].get("description", ""))
                    for each in operation.get("parameters", ())
                ],
                "answers": [
                    (
                        "other" if status == "default" else status,
                        answer["description"],
                        ", ".join(answer["content"]),
                    )
                    for status, answer in sorted(operation["responses"].items())  # digits before letters
                ],
                "curl": f"curl {token}{form}{address}{path}",
            }


def _values(schema: Mapping[str, Any]) -> str:
    """The values of a parameter, in words."""
    (value,) = (each for each in schema.get("anyOf", (schema,)) if each["type"] != "null")
    if "enum" in value:
        return " or ".join(value["enum"])
    least = f"{value['minimum']:,}" if "minimum" in value else f"above {value['exclusiveMinimum']:,}"
    default = f"; {schema['default']:,} by default" if "default" in schema else ""
    return f"{value['type']}, {least} to {value['maximum']:,}{default}"
