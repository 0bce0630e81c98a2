"""When and how a refresh runs: the project file's `run`."""

from __future__ import annotations

import re
from typing import Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator, model_validator

from prefect_synth.flows.training_settings import TrainingSettings
from prefect_synth.synth.hierarchy.spill import parse_size
from prefect_synth.tasks.settings import Settings

_CRON_FIELDS = 5
_EVENT = r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"
_OWN_EVENTS = ("prefect.", "snapshot.", "database.", "warehouse.")
_CLUSTERS = ("dask", "ray")


class WorkPoolSettings(Settings):
    """Prefect's work pool, whose workers start the runs of a deployed project."""

    name: str = Field(default="synth", min_length=1, description="Name of the work pool.")
    type: Literal["process", "docker", "kubernetes"] = Field(
        default="process",
        description="What a worker starts for a run: a process, a container or a Kubernetes job.",
    )
    image: str | None = Field(
        default=None,
        description="Image of the containers; see deployments/Dockerfile.",
    )


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
        description="Cron line by which `serve` and `deploy` run a refresh.",
    )
    timezone: str = Field(
        default="UTC",
        description="Time zone of the schedule, such as Europe/Madrid.",
    )
    work_pool: WorkPoolSettings = Field(
        default_factory=WorkPoolSettings,
        description="Where `deploy` lets the runs be started.",
    )
    watch_minutes: int = Field(
        default=5,
        ge=1,
        le=1440,
        description="How often `watch` looks whether the warehouse's schema has changed.",
    )
    watch_data_hours: float = Field(
        default=24,
        gt=0,
        description="How often it compares a sample of the rows as well.",
    )
    events: tuple[str, ...] = Field(
        default=(),
        description="Names of events that start a refresh, such as dbt.job.done, whatever they are "
        "about; a change of the warehouse's schema does so anyway.",
    )
    gc_schedule: str = Field(
        default="30 5 * * *",
        description="Cron line by which the sandbox is cleaned of what nobody needs.",
    )
    promise_hours: float | None = Field(
        default=None,
        gt=0,
        description="How old `latest` may become before somebody is told; by default the longest "
        "pause of the schedule, and two hours.",
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
    runner: Literal["threads", "processes", "dask", "ray"] = Field(
        default="threads",
        description="Where models are trained and rows drawn and judged: in threads or processes "
        "of this machine, or on a Dask or Ray cluster.",
    )
    address: str | None = Field(
        default=None,
        description="A Dask scheduler (tcp://host:8786) or Ray cluster (ray://host:10001) that "
        "runs already; by default one is started on this machine for the refresh.",
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

    training: TrainingSettings = Field(
        default_factory=TrainingSettings,
        description="What networks may spend on a table, and whether `auto` holds a contest.",
    )
    retrain: Literal["moved", "changed"] = Field(
        default="moved",
        description="When models are trained again: where the rows moved more than chance "
        "explains, or wherever a row changed.",
    )
    retrain_days: float | None = Field(
        default=30,
        gt=0,
        description="With `retrain: moved`, how old models may become; null: any age.",
    )

    @model_validator(mode="after")
    def _address_of_a_cluster(self) -> Self:
        if self.address is not None and self.runner not in _CLUSTERS:
            raise ValueError("has an 'address', which only the runners 'dask' and 'ray' take")
        return self

    @field_validator("memory")
    @classmethod
    def _is_size(cls, memory: str | None) -> str | None:
        if memory is not None:
            parse_size(memory)
        return memory

    @field_validator("schedule", "gc_schedule")
    @classmethod
    def _is_cron(cls, schedule: str) -> str:
        if len(schedule.split()) != _CRON_FIELDS:
            raise ValueError("is not a cron line of five fields, such as '30 2 * * *'")
        return schedule

    @field_validator("events")
    @classmethod
    def _are_events_of_others(cls, events: tuple[str, ...]) -> tuple[str, ...]:
        for name in events:
            if not re.fullmatch(_EVENT, name):
                raise ValueError(f"must be whole names such as dbt.job.done, got '{name}'")
            if name.startswith(_OWN_EVENTS):
                raise ValueError(
                    f"must be events of others: those as '{name}' come of any refresh or project, "
                    "and refreshes would start each other. Make an automation of your own for it, "
                    "that names its resource"
                )
        return events

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, timezone: str) -> str:
        if timezone not in available_timezones():
            raise ValueError("is not a time zone, such as Europe/Madrid or UTC")
        return ZoneInfo(timezone).key
