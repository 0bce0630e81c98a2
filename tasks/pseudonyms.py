"""The secret from which personal data are made: a file in private staging, and nowhere else."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

_BYTES = 32
_PRIVATE = 0o600


def pseudonym_key(file: Path) -> bytes:
    """Read the secret, or make it where there is none; only its owner may read it.

    Args:
        file: `Staging.pseudonyms`.
    """
    if not file.exists():
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(descriptor, "wb") as made:
            made.write(secrets.token_bytes(_BYTES))
        try:
            os.link(unfinished, file)  # whoever comes second takes the first one's
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    return file.read_bytes()


def key_print(file: Path) -> str:
    """Changes when the secret does, and tells nothing of it."""
    return hashlib.blake2b(b"print", key=pseudonym_key(file), digest_size=8).hexdigest()
