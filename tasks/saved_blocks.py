"""Saved Prefect blocks that hold an address or keys: ours, and those of Prefect's integrations.

Integrations' blocks are read as documents: their packages (and the drivers that they would load)
need not be installed where a refresh runs. Prefect itself is imported when a block is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from prefect_synth.synth.errors import revived
from prefect_synth.tasks.settings import CREDENTIALS, SandboxSettings
from prefect_synth.tasks.warehouses.errors import did_you_mean

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_CONNECTOR = "sqlalchemy-connector"
_OURS = {"Warehouse": "synth-warehouse", "Database": "synth-database", "Sandbox": "synth-sandbox"}
_BUCKET = "s3-bucket"
_KEYS = {
    "aws-credentials": ("aws_access_key_id", "aws_secret_access_key"),
    "minio-credentials": ("minio_root_user", "minio_root_password"),
}
_NOT_FOLLOWED = ("profile_name", "assume_role_arn")


class BlockNotFoundError(RuntimeError):
    """The project file names a Prefect block that does not exist."""

    def __reduce__(self) -> tuple[Any, ...]:
        return revived, (type(self), self.args, self.__dict__)

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"There is no {kind} block named '{name}' on the Prefect API in use. Save one with "
            f"`from prefect_synth.tasks.blocks import {kind}; {kind}(url=...).save('{name}')`, or "
            f"give {kind.lower()}.url instead."
        )


class UnusableBlockError(RuntimeError):
    """A saved block does not hold what it is named for; the message says what to do."""


@dataclass(frozen=True)
class SandboxKeys:
    """What a saved block says of a sandbox.

    Args:
        url: Where it is.
        endpoint_url: Address of an S3 server that is not Amazon's.
        key: Access key.
        secret: Secret key that belongs to it.
        token: Session token that belongs to both.
        region: Region of the bucket.
    """

    url: str
    endpoint_url: str | None = None
    key: SecretStr | None = None
    secret: SecretStr | None = None
    token: SecretStr | None = None
    region: str | None = None


def database_address(kind: str, block: str) -> SecretStr:
    """The address that a block holds, password included.

    Args:
        kind: Our own type of block: Warehouse or Database.
        block: The name of one of these, or type and name of another, such as
            `sqlalchemy-connector/prod`.

    Raises:
        BlockNotFoundError: There is no such block.
        UnusableBlockError: It holds no such address.
    """
    slug, name = _type_and_name(kind, block, _CONNECTOR)
    data = _read(kind, slug, name)
    return SecretStr(
        str(_needed(block, data, "url")) if slug == _OURS[kind] else _connector_url(block, data)
    )


def sandbox_keys(settings: SandboxSettings) -> SandboxKeys:
    """Where a sandbox is, and its keys, as the block says that the project file names.

    Args:
        settings: The project file's `sandbox`.

    Raises:
        BlockNotFoundError: There is no such block.
        UnusableBlockError: It holds no keys that are understood.
    """
    block = str(settings.block)
    slug, name = _type_and_name("Sandbox", block, _BUCKET, *CREDENTIALS)
    data = _read("Sandbox", slug, name)
    if slug == _OURS["Sandbox"]:
        return _own(block, data)
    if slug == _BUCKET:
        folder = str(data.get("bucket_folder") or "").strip("/")
        url = f"s3://{_needed(block, data, 'bucket_name')}" + (f"/{folder}" if folder else "")
        return _with_keys(block, url, data.get("credentials") or {})
    return _with_keys(block, str(settings.url), {**data, "block_type_slug": slug})


def _type_and_name(kind: str, block: str, *others: str) -> tuple[str, str]:
    if "/" not in block:
        return _OURS[kind], block
    slug, _, name = block.partition("/")
    if slug not in {_OURS[kind], *others}:
        known = (_OURS[kind], *others)
        raise UnusableBlockError(
            f"The block '{block}' cannot be used here: {' and '.join(known)} can. "
            f"{did_you_mean(slug, known)}".strip()
        )
    return slug, name


def _read(kind: str, slug: str, name: str) -> Mapping[str, Any]:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            found = client.read_block_document_by_name(name, slug, include_secrets=True)
        except ObjectNotFound:
            if slug == _OURS[kind]:
                raise BlockNotFoundError(kind, name) from None
            raise UnusableBlockError(
                f"There is no block '{slug}/{name}' on the Prefect API in use. Save one there, or "
                f"give {kind.lower()}.url instead."
            ) from None
    return found.data


def _own(block: str, data: Mapping[str, Any]) -> SandboxKeys:
    return SandboxKeys(
        str(_needed(block, data, "url")),
        data.get("endpoint_url"),
        _secret(data.get("key")),
        _secret(data.get("secret")),
        None,
        data.get("region"),
    )


def _connector_url(block: str, data: Mapping[str, Any]) -> str:
    """The URL of a SqlAlchemyConnector, without the driver that it names."""
    from sqlalchemy.engine import URL

    if data.get("connect_args"):
        raise UnusableBlockError(
            f"The block '{block}' has connect_args, which are not followed. Write them into its "
            "URL, such as ?sslmode=require, or save a block of ours."
        )
    info = _needed(block, data, "connection_info")
    if isinstance(info, str):
        url = _read_url(block, info)
    else:
        url = URL.create(
            str(_needed(block, info, "driver")),
            info.get("username"),
            info.get("password"),
            info.get("host"),
            info.get("port"),
            info.get("database"),
            info.get("query") or {},
        )
    plain = url.set(drivername=url.get_backend_name())
    return plain.render_as_string(hide_password=False)


def _read_url(block: str, text: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # the text, which may hold a password, is not shown
        raise UnusableBlockError(
            f"What the block '{block}' has as connection_info is not a URL. Save it again, such as "
            "postgresql+psycopg://user:password@host/database."
        ) from None


def _needed(block: str, data: Mapping[str, Any], key: str) -> Any:
    """A value that a block has to have; an old or half-filled one may not."""
    if not data.get(key):
        raise UnusableBlockError(
            f"The block '{block}' has no {key}. Fill it in on the Prefect server in use, or save "
            "the block again."
        )
    return data[key]


def _with_keys(block: str, url: str, credentials: Mapping[str, Any]) -> SandboxKeys:
    slug = credentials.get("block_type_slug") or next(
        (kind for kind, names in _KEYS.items() if names[0] in credentials), "aws-credentials"
    )
    for field in _NOT_FOLLOWED:
        if credentials.get(field):
            raise UnusableBlockError(
                f"The credentials of the block '{block}' have {field}, which is not followed. Save "
                "keys in it, or none, so that those of the worker's own environment are used."
            )
    key, secret = _KEYS[slug]
    client = credentials.get("aws_client_parameters") or {}
    return SandboxKeys(
        url,
        client.get("endpoint_url"),
        _secret(credentials.get(key)),
        _secret(credentials.get(secret)),
        _secret(credentials.get("aws_session_token")),
        credentials.get("region_name"),
    )


def _secret(value: str | None) -> SecretStr | None:
    return None if value is None else SecretStr(value)
