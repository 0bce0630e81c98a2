"""Lists of names and words from Faker, the same ones in every run."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

_POOL = 3000
_PROVIDERS = {
    "ipv4_address": "ipv4",
    "ipv6_address": "ipv6",
    "address": "address",
}


@lru_cache(maxsize=64)
def pool_of(sdtype: str, locale: str) -> pa.Array:
    """Values of one kind, always the same ones: which of them a row gets is the caller's draw."""
    from faker import Faker

    fake = Faker(locale)
    method = getattr(fake, _PROVIDERS.get(sdtype, sdtype), None)
    if method is None:  # not every locale has every list
        fake = Faker("en_US")
        method = getattr(fake, _PROVIDERS.get(sdtype, sdtype))
    fake.seed_instance(0)
    values = [str(method()).replace("\n", ", ") for _ in range(_POOL)]
    return pa.array(list(dict.fromkeys(values)), pa.string())
