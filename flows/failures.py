"""Which exit code a failure has, and how it is said in one sentence."""

from __future__ import annotations

import errno
import signal

GATE_FAILED = 1
CONFIGURATION = 2
CONNECTION = 3
ENGINE = 4
DRIFT = 5
INTERRUPTED = 128 + signal.SIGINT

_OUR_PACKAGE = "prefect_synth."

# By name: the command line is quick because it does not import what did not fail. A class that is
# not here has the code of the class it derives from; a test sees to it that none of ours is
# forgotten. A full disk is ENGINE where it is our own, CONNECTION where it is the sandbox's.
EXIT_CODES = {
    "flows.commands.answer.InterruptedCommand": INTERRUPTED,
    "expectations.suite_files.SuiteFileError": CONFIGURATION,
    "flows.drift.NothingAcceptedError": CONFIGURATION,
    "flows.demo.DemoDataMissingError": CONFIGURATION,
    "flows.deploying.errors.DeployError": CONFIGURATION,
    "flows.server_errors.NoServerError": CONFIGURATION,
    "flows.runners_elsewhere.MissingRunnerError": CONFIGURATION,
    "flows.runners_elsewhere.RunnerError": CONFIGURATION,
    "flows.runners_elsewhere.RunnerUnreachableError": CONNECTION,
    "flows.server_errors.ServerError": CONNECTION,
    "flows.stepwise.SnapshotRefusedError": GATE_FAILED,
    "flows.stepwise_run.RunOverError": CONFIGURATION,
    "flows.yaml_document.ProjectError": CONFIGURATION,
    "synth.errors.ContractError": CONFIGURATION,
    "synth.errors.MissingTorchError": CONFIGURATION,
    "synth.errors.NotFittedError": ENGINE,
    "synth.errors.OrphanError": CONFIGURATION,
    "synth.errors.RequestError": CONFIGURATION,
    "synth.errors.RuleError": CONFIGURATION,
    "synth.errors.SynthesisError": ENGINE,
    "synth.errors.UniquenessError": ENGINE,
    "synth.errors.UnsupportedTypeError": CONFIGURATION,
    "synth.metadata.MetadataError": CONFIGURATION,
    "synth.metrics.sources.MetricsError": CONFIGURATION,
    "synth.privacy.ledger.LedgerError": CONFIGURATION,
    "synth.privacy.ledger.OverspentError": CONFIGURATION,
    "synth.storage.StorageError": ENGINE,
    "tasks.databases.errors.FeedError": CONNECTION,
    "tasks.databases.errors.FeedRequestError": CONFIGURATION,
    "tasks.databases.errors.ProtectedTargetError": CONFIGURATION,
    "tasks.databases.errors.RowsRefusedError": ENGINE,
    "tasks.databases.errors.TargetConnectionError": CONNECTION,
    "tasks.databases.errors.TargetPermissionError": CONNECTION,
    "tasks.databases.errors.TargetSchemaError": CONFIGURATION,
    "tasks.databases.errors.TargetUrlError": CONFIGURATION,
    "tasks.drift.accepting.DriftRequestError": CONFIGURATION,
    "tasks.drift.baseline.FirstFactsError": CONFIGURATION,
    "tasks.drift.changes.DriftBlockedError": DRIFT,
    "tasks.drift.lock.LockError": CONFIGURATION,
    "tasks.events.EventNotDeliveredError": CONNECTION,
    "tasks.elsewhere.OtherVersionError": CONFIGURATION,
    "tasks.elsewhere.StagingNotSharedError": CONFIGURATION,
    "tasks.family.PurgeError": CONFIGURATION,
    "tasks.saved_blocks.BlockNotFoundError": CONFIGURATION,
    "tasks.saved_blocks.UnusableBlockError": CONFIGURATION,
    "tasks.private_folder.StagingError": CONFIGURATION,
    "tasks.snapshots.errors.FixtureFolderError": CONFIGURATION,
    "tasks.snapshots.errors.SandboxConflictError": CONNECTION,
    "tasks.snapshots.errors.SandboxCredentialsError": CONNECTION,
    "tasks.snapshots.errors.SandboxDocumentError": CONNECTION,
    "tasks.snapshots.errors.SandboxDependencyError": CONFIGURATION,
    "tasks.snapshots.errors.SandboxError": CONNECTION,
    "tasks.snapshots.errors.SandboxFullError": CONNECTION,
    "tasks.snapshots.errors.SandboxNotFoundError": CONNECTION,
    "tasks.snapshots.errors.SandboxPermissionError": CONNECTION,
    "tasks.snapshots.errors.SandboxUnreachableError": CONNECTION,
    "tasks.snapshots.errors.SandboxUnsafeError": CONNECTION,
    "tasks.snapshots.errors.SandboxUrlError": CONFIGURATION,
    "tasks.snapshots.errors.SnapshotCacheError": CONFIGURATION,
    "tasks.snapshots.errors.SnapshotContentError": CONFIGURATION,
    "tasks.snapshots.errors.SnapshotDamagedError": CONNECTION,
    "tasks.snapshots.errors.SnapshotNotFoundError": CONFIGURATION,
    "tasks.snapshots.errors.UnjudgedRowsError": ENGINE,
    "tasks.sql_checks.NotOneQueryError": CONFIGURATION,
    "tasks.sql_checks.UnreachableTableError": CONFIGURATION,
    "tasks.staging.RefreshRunningError": CONFIGURATION,
    "tasks.steps.StepError": ENGINE,
    "tasks.warehouses.errors.ConnectionFailed": CONNECTION,
    "tasks.warehouses.errors.InvalidUrl": CONFIGURATION,
    "tasks.warehouses.errors.QueryFailed": CONNECTION,
    "tasks.warehouses.errors.SnapshotLost": CONNECTION,
    "tasks.warehouses.errors.StagedFileError": ENGINE,
    "tasks.warehouses.errors.TableNotFound": CONFIGURATION,
    "tasks.warehouses.errors.UnrepresentableValue": CONFIGURATION,
    "tasks.warehouses.errors.UnsupportedColumnType": CONFIGURATION,
    "tasks.warehouses.errors.WarehouseError": CONNECTION,
    "tasks.warehouses.errors.WritableRoleError": CONFIGURATION,
}
"""The exit code of every error class of this package, by its name below the package."""


def exit_code_of(error: BaseException) -> int:
    """The exit code of a failed command: 2 configuration, 3 connection, 4 engine, 5 drift."""
    for kind in type(error).__mro__:
        name = f"{kind.__module__}.{kind.__qualname__}".removeprefix(_OUR_PACKAGE)
        if name in EXIT_CODES:
            return EXIT_CODES[name]
    return ENGINE


def explain(error: BaseException) -> str:
    """The failure as a sentence that says what to do, and below it what there is to paste."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        place = f" ('{error.filename}')" if error.filename else ""
        return (
            f"The disk is full{place}. Free some space, or set staging.url and sandbox.url to a "
            "larger disk, and run the same command again."
        )
    if is_ours(error):
        return "\n\n".join([str(error), *getattr(error, "__notes__", ())])
    return (
        f"Unexpected {type(error).__name__}: {error}. Run the command again with --debug to see "
        "where it happened."
    )


def is_ours(error: BaseException) -> bool:
    """Whether the error is one of this package's own, whose message is made for people."""
    return type(error).__module__.startswith(_OUR_PACKAGE)
