"""What can go wrong with the sandbox.

* SandboxError
  + SandboxUrlError           the address makes no sense
  + SandboxDependencyError    s3fs is not installed
  + SandboxUnreachableError   nobody answers there
  + SandboxCredentialsError   keys missing, unknown or expired
  + SandboxNotFoundError      the bucket does not exist
  + SandboxPermissionError    known there, but not allowed
  + SandboxFullError          no space left
  + SandboxUnsafeError        the store cannot write conditionally
  + SandboxConflictError      another process was in the way
  + SandboxDocumentError      a file of the protocol cannot be read
  + SnapshotNotFoundError     no such snapshot
  + SnapshotContentError      it has no such table or column
  + SnapshotDamagedError      a file is not as the manifest says
  + SnapshotCacheError        the cache of a reader cannot be written
  + FixtureFolderError        the folder of a fixture holds something else

* UnjudgedRowsError           a file to be published is not the one that was judged

* SnapshotWarning             nobody answers, so the reader goes on with what it has
"""

from __future__ import annotations


class SandboxError(Exception):
    """The sandbox refused, failed or contradicted itself; the message names it and the cure."""


class UnjudgedRowsError(Exception):
    """A file that is to be published is not the one that was judged; nothing has become visible."""


class SandboxUrlError(SandboxError):
    """The sandbox's address or its options make no sense."""


class SandboxDependencyError(SandboxError):
    """An optional library that this kind of sandbox needs is not installed."""


class SandboxUnreachableError(SandboxError):
    """Nobody answers at the sandbox's address."""


class SandboxCredentialsError(SandboxError):
    """The keys are missing, unknown, wrong or expired."""


class SandboxNotFoundError(SandboxError):
    """The bucket does not exist; the store never creates one."""


class SandboxPermissionError(SandboxError):
    """The keys are good, but they do not carry the right that was needed."""


class SandboxFullError(SandboxError):
    """There is no space left in the sandbox."""


class SandboxUnsafeError(SandboxError):
    """The store ignores conditional writes, so two runs could overwrite each other."""


class SandboxConflictError(SandboxError):
    """Another process was in the way for too long, or collected this attempt."""


class SandboxDocumentError(SandboxError):
    """A file where one of the protocol's belongs is damaged, or somebody else's."""


class SnapshotNotFoundError(SandboxError):
    """The sandbox has no committed snapshot of that name."""


class SnapshotContentError(SandboxError):
    """The snapshot has no such table or column."""


class SnapshotDamagedError(SandboxError):
    """A published file is missing or not as the manifest says."""


class SnapshotCacheError(SandboxError):
    """The folder in which a reader keeps a bucket's files cannot be written."""


class SnapshotWarning(UserWarning):
    """The sandbox cannot be reached, so the snapshot that was the latest before is read."""


class FixtureFolderError(SandboxError):
    """A fixture cannot be written to a folder that holds something else."""
