"""What S3 means when it refuses: one clear error for each cause, without credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from s3fs.core import S3_RETRYABLE_ERRORS

from prefect_synth.tasks.snapshots.errors import (
    SandboxCredentialsError,
    SandboxError,
    SandboxFullError,
    SandboxNotFoundError,
    SandboxPermissionError,
    SandboxUnreachableError,
)
from prefect_synth.tasks.snapshots.policy import policy_text

_CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict", "412"}
_BAD_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure"}
_OLD_KEYS = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_DENIED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "Forbidden"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"}
_MOVED = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}


def error_code(error: BaseException | None) -> str:
    """Return the code that S3 itself sent, which s3fs keeps in the cause, or ''."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def is_conflict(error: BaseException) -> bool:
    """Whether a conditional write was refused: a 412 has several faces, and AWS also sends 409."""
    return isinstance(error, FileExistsError) or error_code(error) in _CONFLICTS


@dataclass(frozen=True)
class S3Place:
    """The part of the address that error messages speak of."""

    bucket: str
    prefix: str
    endpoint_url: str | None

    @property
    def url(self) -> str:
        """The address without credentials."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @contextmanager
    def clear_errors(self, right: str) -> Iterator[None]:
        """Turn what s3fs and botocore raise into a `SandboxError`.

        Args:
            right: The IAM action that the block needs.
        """
        try:
            yield
        except (OSError, BotoCoreError, *S3_RETRYABLE_ERRORS) as error:
            raise self._explained(error, right) from error

    def _explained(self, error: Exception, right: str) -> SandboxError:
        code = error_code(error)
        if code in _DENIED:
            return self._denied(right)
        if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
            return SandboxCredentialsError(
                f"{self.url}: no access keys were found. Set sandbox.key and sandbox.secret, or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment."
            )
        if code in _BAD_KEYS | _OLD_KEYS:
            return self._bad_keys(code)
        if isinstance(error, (ConnectionError, HTTPClientError, TimeoutError)):
            return SandboxUnreachableError(
                f"{self.url}: nobody answers at {self.endpoint_url or 'Amazon S3'}. Check "
                "sandbox.endpoint_url, the network and that the server is running."
            )
        return self._other(error, code)

    def _denied(self, right: str) -> SandboxError:
        error = SandboxPermissionError(
            f"{self.url}: the access key may not {right}. Give it the rights of the policy below "
            "(docs/snapshots.md), or use another key."
        )
        error.add_note(policy_text(self.bucket, self.prefix))
        return error

    def _bad_keys(self, code: str) -> SandboxError:
        cure = "Get fresh ones." if code in _OLD_KEYS else "Check sandbox.key and sandbox.secret."
        return SandboxCredentialsError(f"{self.url}: the access keys are refused ({code}). {cure}")

    def _other(self, error: Exception, code: str) -> SandboxError:
        if code == "NoSuchBucket":
            return SandboxNotFoundError(
                f"{self.url}: there is no bucket {self.bucket!r}. Create it, or correct "
                "sandbox.url; the publisher never creates buckets."
            )
        if code in _FULL:
            return SandboxFullError(
                f"{self.url}: no space is left ({code}). Raise the quota, or keep fewer snapshots "
                "(sandbox.retain)."
            )
        if code in _MOVED:
            return SandboxError(
                f"{self.url}: the bucket is in another region ({code}). Set sandbox.region."
            )
        if code == "RequestTimeTooSkewed":
            return SandboxError(f"{self.url}: this machine's clock is wrong ({code}). Set it.")
        return SandboxError(f"{self.url}: {type(error).__name__} {code}: {error}.")
