"""A YAML file as plain values, with the line of every key and `${VARIABLES}` filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ProjectError(ValueError):
    """The project file is wrong; the message names file, line, key and cure."""


@dataclass
class YamlDocument:
    """Values of a YAML file, and where each of them stands.

    Args:
        path: The file.
        values: The document as dictionaries, lists and scalars.
        lines: Line number, from one, of each key by its location.
    """

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Location) -> int:
        """The line of `location`, or of the nearest key around it; 0 for the file."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.lines:
                return self.lines[location[:end]]
        return 0

    def place(self, location: Location) -> str:
        """`synth.yaml:7`: the file, and the line of `location` in it."""
        line = self.line(location)
        return f"{self.path.name}:{line}" if line else self.path.name


def read_yaml(path: Path, environment: Mapping[str, str] | None = None) -> YamlDocument:
    """Read the YAML file at `path`.

    Args:
        path: The file.
        environment: Where `${NAME}` is looked up; by default the process's environment.

    Returns:
        The document with every variable filled in.

    Raises:
        ProjectError: The file is missing, is not YAML, repeats a key, or names a variable that is
            not set.
    """
    document = YamlDocument(path)
    root = _compose(path)
    if root is None:
        return document
    if not isinstance(root, yaml.MappingNode):
        raise ProjectError(f"{path.name}:1: expected keys such as 'project: shop'.")
    variables = os.environ if environment is None else environment
    document.values = _value(root, (), document, variables)
    return document


def _compose(path: Path) -> yaml.Node | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProjectError(
            f"There is no project file '{path}'. Run `prefect-synth init` to write one, "
            "or name yours with --project."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"The project file '{path}' cannot be read: {error}.") from None
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ProjectError(f"{path.name}:{line}: is not YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise ProjectError(f"{path.name}: is not YAML: {error}.") from None


def _value(
    node: yaml.Node, at: Location, document: YamlDocument, variables: Mapping[str, str]
) -> Any:
    document.lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, at, document, variables)
    if isinstance(node, yaml.SequenceNode):
        return [_value(n, (*at, i), document, variables) for i, n in enumerate(node.value)]
    scalar = _scalar(node)
    if not isinstance(scalar, str):
        return scalar
    return _VARIABLE.sub(lambda match: _lookup(match[1], at, document, variables), scalar)


def _mapping(
    node: yaml.MappingNode, at: Location, document: YamlDocument, variables: Mapping[str, str]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in values:
            raise ProjectError(
                f"{document.path.name}:{line}: the key '{_dotted((*at, key))}' stands here twice, "
                f"first in line {document.lines[(*at, key)]}. Keep one of them."
            )
        document.lines[(*at, key)] = line
        values[key] = _value(value_node, (*at, key), document, variables)
    return values


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except yaml.YAMLError:
        return node.value
    finally:
        loader.dispose()


def _lookup(name: str, at: Location, document: YamlDocument, variables: Mapping[str, str]) -> str:
    if not variables.get(name):
        state = "is empty" if name in variables else "is not set"
        raise ProjectError(
            f"{document.place(at)}: '{_dotted(at)}' needs the environment variable {name}, which "
            f"{state}. Set it before the command: `export {name}=...`."
        )
    return variables[name]


def _dotted(location: Location) -> str:
    return ".".join(str(part) for part in location)
