"""Which exit code a failure has, and how it is said in one sentence."""

from __future__ import annotations

import errno

GATE_FAILED = 1
CONFIGURATION = 2
CONNECTION = 3
ENGINE = 4

_OUR_PACKAGE = "prefect_synth."


def exit_code_of(error: BaseException) -> int:
    """The exit code of a failed command: 2 configuration, 3 connection, 4 engine."""
    if isinstance(error, _configuration_errors()):
        return CONFIGURATION
    if isinstance(error, _connection_errors()):
        return CONNECTION
    return ENGINE


def explain(error: BaseException) -> str:
    """The failure as a sentence that says what to do."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        place = f" ('{error.filename}')" if error.filename else ""
        return (
            f"The disk is full{place}. Free some space, or set staging.url and sandbox.url to a "
            "larger disk, and run the same command again."
        )
    if is_ours(error):
        return str(error)
    return (
        f"Unexpected {type(error).__name__}: {error}. Run the command again with --debug to see "
        "where it happened."
    )


def is_ours(error: BaseException) -> bool:
    """Whether the error is one of this package's own, whose message is made for people."""
    return type(error).__module__.startswith(_OUR_PACKAGE)


def _configuration_errors() -> tuple[type[BaseException], ...]:
    from prefect_synth.flows.demo import DemoDataMissingError
    from prefect_synth.flows.yaml_document import ProjectError
    from prefect_synth.synth.metadata import MetadataError
    from prefect_synth.synth.metrics.sources import MetricsError
    from prefect_synth.tasks.connections import BlockNotFoundError
    from prefect_synth.tasks.snapshots.errors import (
        SandboxDependencyError,
        SandboxUrlError,
        SnapshotNotFoundError,
    )
    from prefect_synth.tasks.staging import StagingError
    from prefect_synth.tasks.warehouses import errors as warehouse

    return (
        ProjectError,
        BlockNotFoundError,
        DemoDataMissingError,
        MetadataError,
        MetricsError,
        StagingError,
        SandboxUrlError,
        SandboxDependencyError,
        SnapshotNotFoundError,
        warehouse.InvalidUrl,
        warehouse.TableNotFound,
        warehouse.WritableRoleError,
        warehouse.UnsupportedColumnType,
    )


def _connection_errors() -> tuple[type[BaseException], ...]:
    from prefect_synth.flows.server_errors import ServerError
    from prefect_synth.tasks.snapshots.errors import SandboxError
    from prefect_synth.tasks.warehouses.errors import ConnectionFailed, QueryFailed

    return (SandboxError, ServerError, ConnectionFailed, QueryFailed)
