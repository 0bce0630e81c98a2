"""The middle of a refresh: extend and train; every result is cached by fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from prefect.futures import PrefectFuture
from prefect.tasks import Task

from prefect_synth.flows.refresh_log import log_trained
from prefect_synth.flows.refresh_privacy import paying_of, refusal
from prefect_synth.flows.refresh_pull import Staged
from prefect_synth.flows.refresh_reuse import decide, decide_to_train, depends_on, wish_of
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.refresh_synthesis import synthesis_of
from prefect_synth.flows.runners import Runners, quoted
from prefect_synth.tasks.decision import Decision, Wish
from prefect_synth.tasks.parquet_form import FileFacts
from prefect_synth.tasks.paying import Paying
from prefect_synth.tasks.progress import step
from prefect_synth.tasks.references import ExtensionsRef, ModelRef
from prefect_synth.tasks.reuse import Trained
from prefect_synth.tasks.sources import read_sources
from prefect_synth.tasks.synthesis import Synthesis
from prefect_synth.tasks.telling import run_log
from prefect_synth.tasks.train import train_table

R = TypeVar("R")


@dataclass
class Work:
    """One refresh whose real tables are staged.

    Args:
        setup: The project and its places.
        runners: Run the tasks of a step side by side.
        staged: The staged real tables.
        reuse: Whether to draw with the models of the last published snapshot, where that can be.
        retrain: Whether to train all that changed, however little; the project file's
            `run.retrain` decides where neither is asked for.
    """

    setup: Setup
    runners: Runners
    staged: Staged
    reuse: bool = False
    retrain: bool = False

    @cached_property
    def synthesis(self) -> Synthesis:
        """What the models are trained from."""
        return synthesis_of(self.setup.project, self.staged.metadata_file, self.staged.tables)

    @cached_property
    def scales(self) -> dict[str, float]:
        """By table, rows asked for as a share of those trained on; held-out ones are made good."""
        whole, scale = self.staged.rows, self.setup.project.defaults.scale
        if self.synthesis.privacy is not None:  # real numbers of rows would tell of people
            scale /= 1 - self.setup.project.privacy.holdout
            return dict.fromkeys(whole, scale)
        trained = self.reused.rows if self.reused else self._rows_to_train
        wanted = {
            table: scale * whole[table] / rows if rows else scale for table, rows in trained.items()
        }
        return self.reused.asked(wanted) if self.reused else wanted

    @property
    def _rows_to_train(self) -> dict[str, int]:
        return {ref.table: ref.rows for ref in self.staged.tables}

    @cached_property
    def reused(self) -> Trained | None:
        """The models of the last published snapshot, where this refresh draws with them."""
        return self.setup.staging.last_models if self.decision.reuse else None

    @cached_property
    def decision(self) -> Decision:
        """Whether models are trained or reused, and why."""
        known = (self._depends_on, self.wish, self.synthesis)
        return decide(self.setup, self.runners, self.staged, *known)

    @property
    def paying(self) -> Paying | None:
        """Who pays for what is learned, where that costs privacy."""
        return paying_of(self.setup, self.staged.run.state.run_id)

    @property
    def may_train(self) -> bool:
        """Whether models are reused though nobody asked for that: a gate may ask for new ones."""
        reusing = self.decision.reuse and not self.reuse
        return reusing and refusal(self.setup, self.staged.metadata) is None

    def trained_anew(self, failures: int) -> Work:
        """The same refresh with models that are trained, after what reused ones drew was refused.

        Args:
            failures: Checks that refused it.
        """
        run_log().warning(
            "What the reused models drew does not pass the gates (%d of the checks failed): what "
            "changed is trained.",
            failures,
        )
        decide_to_train(self.setup, self.runners, self.staged, self.wish)
        return replace(self)

    @property
    def wish(self) -> Wish:
        """By what it is decided whether models are trained."""
        return wish_of(self.setup, self.reuse, self.retrain)

    @cached_property
    def _depends_on(self) -> dict[str, str]:
        return depends_on(self.setup, self.staged, self.synthesis)

    def remember(self, extensions: ExtensionsRef, models: Sequence[ModelRef]) -> None:
        """Note with which models the snapshot was drawn, for later refreshes to reuse them."""
        run, last = self.staged.run, self.setup.staging.last_models
        sources = read_sources(run.folder)
        same = last is not None and last.models == tuple(models)
        trained = self.reused or Trained(
            run_id=last.run_id if last and same else run.state.run_id,
            depends_on=self._depends_on,
            extensions=extensions,
            models=tuple(models),
            rows=self._rows_to_train,
            since=last.since if last and same else datetime.now(UTC),
            pulled=sources.of_rows() if sources else {},
        )
        trained.sampled(self.scales).save(run.folder)

    def train(self, extensions: ExtensionsRef) -> list[ModelRef]:
        """Train every table's part, as many at a time as there are workers."""
        if self.reused:
            self._use(extensions, self.reused.models)
            return list(self.reused.models)
        staging = self.setup.staging
        with step("train", len(extensions.parts)):
            futures = [
                self.start(
                    train_table,
                    [staging.model(table, key)],
                    table=table,
                    fingerprint=key,
                    synthesis=self.synthesis,
                    extensions=extensions,
                    folder=staging.model(table, key),
                    paying=self.paying,
                )
                for table, key in extensions.parts.items()
            ]
            made = [future.result() for future in futures]
        models = [ref.at(staging.model(ref.table, ref.fingerprint)) for ref in made]
        log_trained(futures)
        self._use(extensions, models)
        return models

    def _use(self, extensions: ExtensionsRef, models: Sequence[ModelRef]) -> None:
        """Note which folders the run needs."""
        shared = () if extensions.shared is None else (extensions.shared,)
        used = (extensions.path, *extensions.tables.values(), *shared, *(m.path for m in models))
        root = self.setup.staging.root
        self.staged.run.update(models=tuple(str(path.relative_to(root)) for path in used))

    def facts(self, models: list[ModelRef]) -> dict[str, FileFacts]:
        """What the published files of each table say of themselves; nothing of this run."""
        synthesis, project = self.synthesis, self.setup.project.project
        made = {model.table: model.fingerprint for model in models}
        return {
            table: FileFacts(
                table=table,
                copied=table in synthesis.keep,
                project=project,
                model=made.get(table),
                seed=synthesis.seed,
            )
            for table in self.staged.metadata.tables
        }

    @property
    def after(self) -> list[dict[str, float]]:
        """Scales at which snapshots were drawn before with the same models."""
        return list(self.reused.stages) if self.reused else []

    def do(self, task: Task[..., R], **arguments: Any) -> R:
        """Run a task in this process and without a cache, and wait for it."""
        return self.runners.here.submit(task, quoted(arguments)).result()

    def start(self, task: Task[..., R], made: list[Path], **arguments: Any) -> PrefectFuture[R]:
        """Start a cached task; it runs again if what it made before is gone.

        It may run on another machine: its arguments are references and small settings.

        Args:
            task: The task.
            made: Files or folders that it makes.
            arguments: Its arguments.
        """
        again = not all(path.exists() for path in made)
        return self.runners.start(_kept(task, self.setup.staging.results, again), arguments)


@lru_cache(maxsize=64)
def _kept(task: Task[..., R], results: Path, again: bool) -> Task[..., R]:
    """The same task with its results in private staging; Prefect reads its source to make one."""
    return task.with_options(result_storage=results, refresh_cache=again)
