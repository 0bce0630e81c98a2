"""The secret from which personal data are made: a file in private staging, and nowhere else."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path

_BYTES = 32


def pseudonym_key(file: Path) -> bytes:
    """Read the secret, or make it where there is none; only its owner may read it.

    Args:
        file: `Staging.pseudonyms`.
    """
    if not file.exists():
        # A name of its own, for tasks are threads too; mkstemp opens it for its owner only.
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(descriptor, "wb") as made:
            made.write(secrets.token_bytes(_BYTES))
        try:
            os.link(unfinished, file)  # whoever comes second takes the first one's
        except FileExistsError:
            pass
        finally:
            os.unlink(unfinished)
    return file.read_bytes()


def key_print(file: Path, make: bool = True) -> str:
    """Changes when the secret does, and tells nothing of it.

    Args:
        file: `Staging.pseudonyms`.
        make: Whether to make the secret where there is none.
    """
    key = pseudonym_key(file) if make or file.exists() else b""
    return hashlib.blake2b(b"print", key=key, digest_size=8).hexdigest()
