"""Names that PostgreSQL keeps whole."""

from __future__ import annotations

import hashlib

_LONGEST = 63
_DIGITS = 8


def shortened(name: str) -> str:
    """A name of at most 63 bytes; one that is cut ends with a digest, so that two stay two.

    PostgreSQL itself cuts longer names without an error.

    Example:
        >>> shortened("orders")
        'orders'
        >>> shortened("x" * 70)[-10:]
        'x_c71bd109'
    """
    if len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{name.encode()[: _LONGEST - _DIGITS - 1].decode(errors='ignore')}_{digest}"
