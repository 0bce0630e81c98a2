"""Bounds of scores: absolute or measured by the holdout, blocking or warning."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

Share = Annotated[float, Field(ge=0, le=1)]
OnFail = Literal["block", "warn"]


class Strict(BaseModel):
    """Settings that cannot be changed, and in which nothing unknown is accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bound(Strict):
    """A bound that may be written as a number."""

    number: ClassVar[str] = "max"
    """The key that a number stands for."""

    on_fail: OnFail = Field(default="block", description="Whether to block, or only to warn.")

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        return {cls.number: value} if isinstance(value, int | float) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell editors that a number will do."""
        return {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, handler(core)]}


class AtLeast(Bound):
    """A score of which more is better; written as a number, it is `min`."""

    number: ClassVar[str] = "min"

    min: Share | None = Field(default=None, description="Smallest accepted score.")
    below_ceiling: Share | None = Field(
        default=None, description="How far below the holdout's own score it may lie."
    )


class AtMost(Bound):
    """A score of which less is better; written as a number, it is `max`."""

    max: Share | None = Field(default=None, description="Largest accepted score.")
    above_ceiling: Share | None = Field(
        default=None, description="How far above the holdout's own score it may lie."
    )


class Risk(Bound):
    """A risk that holds at most; it is measured against the holdout already."""

    max: Share | None = Field(default=None, description="Largest accepted figure.")
