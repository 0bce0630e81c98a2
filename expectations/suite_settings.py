"""Where suites lie and which checks a user wrote in SQL: `suites` and `checks` of `synth.yaml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

_Module = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SuiteSettings(_Settings):
    """Suites as files, and expectations of one's own."""

    folder: str = Field(
        default="suites",
        description="Folder of the suite files, from the project file's folder on.",
    )
    modules: tuple[_Module, ...] = Field(
        default=(),
        description="Python modules with Great Expectations expectations of your own; those beside "
        "the project file are found.",
    )


class SqlCheck(_Settings):
    """A query over the synthetic tables that must return no row; written as text, it is `sql`."""

    sql: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)] = Field(
        description="One SELECT in DuckDB's SQL over the synthetic tables, by their names."
    )
    on_fail: Literal["block", "warn"] = Field(
        default="block", description="Whether to block, or only to warn."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"sql": value} if isinstance(value, str) else value
