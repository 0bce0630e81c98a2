"""How every command answers: for people on the terminal, or as one JSON document."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console

from prefect_synth.flows.failures import exit_code_of, explain

DEBUG = "PREFECT_SYNTH_DEBUG"
"""Environment variable that shows tracebacks."""


class InterruptedCommand(Exception):
    """A person pressed Ctrl-C."""

    def __init__(self) -> None:
        super().__init__("Interrupted. Give the same command again; what is staged is used.")


@dataclass(frozen=True)
class Answer:
    """What a command found or did.

    Args:
        document: All of it as JSON values.
        show: Writes it for people.
        exit_code: 0 when all is well, 1 when a gate failed.
    """

    document: Mapping[str, Any]
    show: Callable[[Console], None]
    exit_code: int = 0


def respond(as_json: bool, command: Callable[[], Answer]) -> None:
    """Run a command, show its answer or its failure, and exit with its code."""
    raise typer.Exit(_answered(as_json, command))


def _answered(as_json: bool, command: Callable[[], Answer]) -> int:
    try:
        answer = command()
    except KeyboardInterrupt:
        return _failed(InterruptedCommand(), as_json)
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        return _failed(error, as_json)
    if as_json:
        _print_json(answer.document)
    else:
        answer.show(Console(highlight=False))
    return answer.exit_code


def _failed(error: Exception, as_json: bool) -> int:
    message, code = explain(error), exit_code_of(error)
    _release(error)
    if as_json:
        kind = type(error).__name__
        _print_json({"error": {"kind": kind, "message": message}, "exit": code})
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(
        message, style="red" if sys.stderr.isatty() else None
    )
    return code


def _release(error: BaseException | None) -> None:
    """Free what the frames of an error hold: a warehouse's connection must not live to the end."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _print_json(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=1, default=str) + "\n")
