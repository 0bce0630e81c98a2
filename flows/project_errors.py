"""What is wrong with a project file, as sentences that name the line and the cure."""

from __future__ import annotations

import difflib
import types
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from prefect_synth.flows.yaml_document import Location, ProjectError, YamlDocument

_PLAIN = (int, float, bool)


def project_error(
    error: ValidationError, model: type[BaseModel], document: YamlDocument
) -> ProjectError:
    """Turn what pydantic found into one sentence for each finding."""
    findings = sorted(error.errors(), key=lambda finding: document.line(finding["loc"]))
    return ProjectError("\n".join(_sentence(finding, model, document) for finding in findings))


def _sentence(finding: ErrorDetails, model: type[BaseModel], document: YamlDocument) -> str:
    location = finding["loc"]
    place, key = document.place(location), ".".join(str(part) for part in location)
    if finding["type"] == "extra_forbidden":
        return f"{place}: unknown key '{key}'. {_suggestion(location, model)}"
    if finding["type"] == "missing":
        return f"{place}: the key '{key}' is missing. Add it{_meaning(location, model)}."
    return f"{place}: '{key}' {_problem(finding)}{_found(finding)}."


def _problem(finding: ErrorDetails) -> str:
    message = finding["msg"]
    if finding["type"] == "value_error":
        return message.removeprefix("Value error, ")
    if finding["type"] in {"model_type", "dict_type"}:
        return "must hold keys, as in 'key: value', or be left out"
    return message.replace("Input should be", "must be", 1).replace("Input should", "must", 1)


def _found(finding: ErrorDetails) -> str:
    value = finding.get("input")
    quoted = finding["type"] in {"literal_error", "enum"} and isinstance(value, str)
    return f", got {value!r}" if isinstance(value, _PLAIN) or quoted else ""


def _suggestion(location: Location, model: type[BaseModel]) -> str:
    owner = _model_at(model, location[:-1])
    allowed = sorted(owner.model_fields) if owner else []
    near = difflib.get_close_matches(str(location[-1]), allowed, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}Allowed here: {', '.join(allowed)}."


def _meaning(location: Location, model: type[BaseModel]) -> str:
    owner = _model_at(model, location[:-1])
    field = owner.model_fields.get(str(location[-1])) if owner else None
    return f": {field.description.rstrip('.')}" if field and field.description else ""


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    annotation: Any = model
    for part in location:
        owner = _first_model(annotation)
        if owner is not None:
            field = owner.model_fields.get(str(part))
            annotation = field.annotation if field else None
        else:
            annotation = _item_of(annotation)
    return _first_model(annotation)


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next(filter(None, map(_first_model, get_args(annotation))), None)
    return None


def _item_of(annotation: Any) -> Any:
    """The annotation of what a dictionary or list holds."""
    arguments = [a for a in get_args(annotation) if a is not type(None) and a is not Ellipsis]
    return arguments[-1] if arguments else None
