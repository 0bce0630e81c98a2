"""The form of our own expectations: they judge by themselves, and say so in Data Docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, cast

from great_expectations.expectations.expectation import (
    BatchExpectation,
    render_suite_parameter_string,
)
from great_expectations.render.components import (
    LegacyRendererType,
    RenderedStringTemplateContent,
)
from great_expectations.render.renderer.renderer import renderer

NOTE = "prefect_synth_note"
"""Where a result carries a sentence about counts and shares for the check's detail."""

Outcome = dict[str, Any]

Reference = dict[str, Any]
"""Such as `{"$PARAMETER": "income.mean"}`: what an argument is before its suite is bound."""

T = TypeVar("T")


def bound(argument: T | Reference) -> T:
    """An argument that is no reference any more: the engine starts no expectation with one."""
    return cast("T", argument)


def outcome(success: bool, observed: float | None, note: str = "") -> Outcome:
    """A result as Great Expectations wants it.

    Args:
        success: Whether the expectation is met.
        observed: What was found, an aggregate.
        note: What a reader should know besides; never a value of the data.
    """
    # plain types: a numpy.bool cannot be written as JSON
    found = None if observed is None else float(observed)
    return {"success": bool(success), "result": {"observed_value": found, "details": {NOTE: note}}}


class OurExpectation(BatchExpectation):
    """An expectation that reads `referred()` and not the engine's frame, which forgets types."""

    domain_keys: ClassVar[tuple[str, ...]] = ()
    metric_dependencies: ClassVar[tuple[str, ...]] = ()
    template: ClassVar[str] = ""

    def judge(self) -> Outcome:
        """Judge the rows that were handed over."""
        raise NotImplementedError

    def _validate(self, *_: Any, **__: Any) -> Outcome:
        return self.judge()

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    @render_suite_parameter_string
    def _prescriptive_renderer(
        cls,
        configuration: Any = None,
        result: Any = None,
        runtime_configuration: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> list[Any]:
        """The sentence that Data Docs print: without it they print every quantile."""
        shown = {k: _shown(v) for k, v in configuration.kwargs.items() if f"${k}" in cls.template}
        styling = (runtime_configuration or {}).get("styling") or {}
        template = {"template": cls.template, "params": shown, "styling": styling}
        return [
            RenderedStringTemplateContent(
                content_block_type="string_template", string_template=template
            )
        ]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
