"""Prefect blocks that hold the secrets of `warehouse`, `sandbox` and `feeds`, which name them."""

from __future__ import annotations

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr

_BLOCKS_GUIDE = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")


class Warehouse(Block):
    """
    Block holding the address of a production warehouse.

    Args:
        url: Address with user and password, of a role that can only read.

    Example:
        Save the address once, and name the block in `synth.yaml` as `warehouse: {block: shop}`:

        ```python
        from prefect_synth.tasks.blocks import Warehouse

        warehouse = Warehouse.load("BLOCK_NAME")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Warehouse"
    _block_type_slug: ClassVar[str | None] = "synth-warehouse"
    _documentation_url: ClassVar[HttpUrl | None] = _BLOCKS_GUIDE

    url: SecretStr = Field(
        description="Address such as postgresql://reader:password@host/database."
    )


class Sandbox(Block):
    """
    Block holding the address and keys of a sandbox bucket.

    Args:
        url: A folder, s3://bucket/prefix, or another address of docs/snapshots.md.
        endpoint_url: Address of an S3 server that is not Amazon's.
        key: Access key; without it the environment's own credentials are used.
        secret: Secret key that belongs to the access key.
        region: Region of the bucket.

    Example:
        Save the keys once, and name the block in `synth.yaml` as `sandbox: {block: shop}`:

        ```python
        from prefect_synth.tasks.blocks import Sandbox

        sandbox = Sandbox.load("BLOCK_NAME")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Sandbox"
    _block_type_slug: ClassVar[str | None] = "synth-sandbox"
    _documentation_url: ClassVar[HttpUrl | None] = _BLOCKS_GUIDE

    url: str = Field(description="A folder, s3://bucket/prefix, or another address.")
    endpoint_url: str | None = Field(
        None, description="Address of an S3 server that is not Amazon's."
    )
    key: SecretStr | None = Field(
        None, description="Access key; without it the environment's own credentials are used."
    )
    secret: SecretStr | None = Field(None, description="Secret key that belongs to the access key.")
    region: str | None = Field(None, description="Region of the bucket.")


class Database(Block):
    """
    Block holding the address of a database that is fed with snapshots.

    Args:
        url: Address with user and password, of a role that may write to its test database.

    Example:
        Save the address once, and name the block in `synth.yaml` as `feeds: {test: {block: test}}`:

        ```python
        from prefect_synth.tasks.blocks import Database

        database = Database.load("BLOCK_NAME")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Database"
    _block_type_slug: ClassVar[str | None] = "synth-database"
    _documentation_url: ClassVar[HttpUrl | None] = _BLOCKS_GUIDE

    url: SecretStr = Field(description="Address such as postgresql://tester:password@host/test.")
