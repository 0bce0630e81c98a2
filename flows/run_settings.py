"""When and how a refresh runs: the project file's `run`."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from prefect_synth.synth.hierarchy.spill import parse_size
from prefect_synth.tasks.settings import Settings

_CRON_FIELDS = 5


class RunSettings(Settings):
    """Seed, schedule and resources of a refresh."""

    seed: int = Field(
        default=0,
        ge=0,
        lt=2**32,
        description="Same data, same file, same seed: same rows.",
    )
    schedule: str = Field(
        default="30 2 * * *",
        description="Cron line by which `serve` runs a refresh.",
    )
    timezone: str = Field(
        default="UTC",
        description="Time zone of the schedule, such as Europe/Madrid.",
    )
    retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often a lost connection is tried again, with back-off.",
    )
    workers: int = Field(
        default=2,
        ge=1,
        le=64,
        description="How many tables are worked on at a time.",
    )
    memory: str | None = Field(
        default=None,
        description="What sampling may use, such as 2GB; by default all that it needs.",
    )
    budget_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Processor seconds that `auto` may spend on a table; where trees would take "
        "longer, it takes the copula.",
    )

    @field_validator("memory")
    @classmethod
    def _is_size(cls, memory: str | None) -> str | None:
        if memory is not None:
            parse_size(memory)
        return memory

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, schedule: str) -> str:
        if len(schedule.split()) != _CRON_FIELDS:
            raise ValueError("is not a cron line of five fields, such as '30 2 * * *'")
        return schedule

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, timezone: str) -> str:
        if timezone not in available_timezones():
            raise ValueError("is not a time zone, such as Europe/Madrid or UTC")
        return ZoneInfo(timezone).key
