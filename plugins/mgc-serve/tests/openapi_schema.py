"""Whether answers are what the OpenAPI document promises."""

from __future__ import annotations

from typing import Any

from mgc_serve import openapi


def fits(value: Any, schema: Any, where: str = "") -> None:
    """Check a value against a schema of the document."""
    if reference := schema.get("$ref"):
        schema = openapi.document()["components"]["schemas"][reference.rpartition("/")[2]]
    if options := schema.get("anyOf"):
        errors = []
        for option in options:
            try:
                return fits(value, option, where)
            except AssertionError as error:
                errors.append(str(error))
        raise AssertionError(f"{where}: {errors}")
    kinds = {"string": str, "boolean": bool, "integer": int, "null": type(None), "array": list}
    kinds |= {"object": dict, "number": (int, float)}  # type: ignore[dict-item]
    assert isinstance(value, kinds[schema["type"]]), f"{where}: {value!r}"
    if schema["type"] == "array":
        for number, item in enumerate(value):
            fits(item, schema["items"], f"{where}[{number}]")
    if schema["type"] == "object":
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        assert set(schema.get("required", ())) <= set(value), f"{where}: {set(value)}"
        assert others or set(value) <= set(known), f"{where}: {set(value) - set(known)}"
        for name, item in value.items():
            if own := known.get(name) or (others if isinstance(others, dict) else None):
                fits(item, own, f"{where}.{name}")
    return None


def promised(path: str, method: str = "post") -> Any:
    """The schema of an answer."""
    operation = openapi.document()["paths"][path][method]
    return operation["responses"]["200"]["content"]["application/json"]["schema"]
