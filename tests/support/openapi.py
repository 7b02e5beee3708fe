"""An OpenAPI 3.0 file, read without any of the package's own code: what it demands and what it promises."""

import re
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import yaml
from attrs import frozen
from jsonschema import Draft7Validator, FormatChecker

formats = FormatChecker(formats=["email"])
formats.checks("uuid", ValueError)(lambda text: bool(UUID(text)))
formats.checks("date", ValueError)(lambda text: date.fromisoformat(text).isoformat() == text)
formats.checks("date-time", ValueError)(lambda text: datetime.fromisoformat(text).tzinfo is not None)
formats.checks("uri")(lambda text: re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", text) is not None)


@frozen
class Stated:
    """One operation as the file states it; references resolved, schemas closed to fields the file doesn't know.

    Attributes:
        parameters: By place and name.
        body: Content type and schema of the request's body.
        status: Status of the response.
        content_type: Content type of the response's body, None if it has none.
        answer: The schema of the response's body, None if it is no JSON.
    """

    id: str
    http_method: str
    path: str
    three_legged: bool
    parameters: dict
    body: tuple[str, dict] | None
    status: int
    content_type: str | None
    answer: dict | None

    @property
    def pattern(self):
        return re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path)


def tree_in(file: Path) -> dict:
    """Return the content of a YAML file, ten times as fast where PyYAML has libyaml."""
    return yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe


def read(file: Path, prefix: str = "") -> list[Stated]:
    """Return the operations of a file, those without path parameters first, as OpenAPI wants them matched."""
    document = tree_in(file)
    found = [
        _stated(http_method, prefix + path, _resolved(stated, document))
        for path, methods in document["paths"].items()
        for http_method, stated in methods.items()
    ]
    return sorted(found, key=lambda stated: stated.path.count("{"))


def _stated(http_method: str, path: str, stated: dict) -> Stated:
    status, success = next((int(status), answer) for status, answer in stated["responses"].items() if status < "3")
    content_type, content = next(iter(success.get("content", {}).items()), (None, {}))
    body = next(iter(stated.get("requestBody", {}).get("content", {}).items()), None)
    return Stated(
        stated["operationId"],
        http_method.upper(),
        path,
        stated.get("security") == [{"oauth1_three_legged": []}],
        {(parameter["in"], parameter["name"]): parameter for parameter in stated.get("parameters", [])},
        (body[0], closed(body[1]["schema"])) if body else None,
        status,
        content_type,
        content.get("schema"),
    )


def _resolved(node, document):
    """Return ``node`` with every reference replaced by what it names, and parts merged into one object."""
    if isinstance(node, list):
        return [_resolved(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        return _resolved(target, document)
    node = {key: _resolved(value, document) for key, value in node.items()}
    if parts := node.pop("allOf", None):
        properties = {name: schema for part in parts for name, schema in part["properties"].items()}
        node |= {"type": "object", "properties": properties}
    if node.pop("nullable", False):
        node["type"] = [node["type"], "null"]
    return node


def closed(schema):
    """Return ``schema`` as one that knows no fields but those it lists."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    return {"additionalProperties": False, **schema} if "properties" in schema else schema


def example(schema):
    """Build the example that a schema's own examples add up to."""
    if "example" in schema:
        return schema["example"]
    if "properties" in schema:
        return {name: example(inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        return [example(schema["items"])]
    if isinstance(schema.get("additionalProperties"), dict):
        return {"some.key": "some text", "another.key": "other text"}
    return {"integer": 1, "string": "some text"}[schema["type"]]


def problems(value, schema) -> list[str]:
    """Say what is wrong with a value."""
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft7Validator(schema, format_checker=formats).iter_errors(value)
    ]


def typed(text: str, schema):
    """Read a query or form value as the schema's type; as the text it is where it doesn't fit."""
    read = {"integer": int, "number": float, "boolean": {"true": True, "false": False}.__getitem__}
    try:
        return read.get(schema.get("type"), str)(text)
    except (ValueError, KeyError):
        return text
