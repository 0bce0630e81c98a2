"""Blocks that a user has already: Prefect's connector, bucket and keys, saved by their own code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentCreate
from prefect_aws import AwsCredentials, MinIOCredentials, S3Bucket
from prefect_aws.client_parameters import AwsClientParameters
from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector
from pydantic import ValidationError

from prefect_synth.tasks.blocks import Database, Sandbox, Warehouse
from prefect_synth.tasks.connections import (
    database_url,
    open_project_sandbox,
    open_project_warehouse,
    warehouse_url,
)
from prefect_synth.tasks.databases.settings import FeedSettings
from prefect_synth.tasks.saved_blocks import (
    BlockNotFoundError,
    UnusableBlockError,
    sandbox_keys,
)
from prefect_synth.tasks.settings import SandboxSettings, WarehouseSettings

HERE = Path()


@pytest.fixture(autouse=True)
def server(prefect_url: str) -> str:
    """The tests' Prefect server keeps the blocks."""
    return prefect_url


def connector(name: str, **info: Any) -> WarehouseSettings:
    """Save a connector, and name it in the project file."""
    parts = ConnectionComponents(driver="postgresql+psycopg", **info)
    SqlAlchemyConnector(connection_info=parts).save(name, overwrite=True)
    return WarehouseSettings(block=f"sqlalchemy-connector/{name}")


def test_a_connector_of_parts_is_a_warehouse() -> None:
    """Its driver is left to us; a password is encoded as a URL needs it."""
    settings = connector(
        "parts", host="db", port=5433, username="ann", password="h@/sh", database="shop",
        query={"sslmode": "require"},
    )  # fmt: skip
    url = "postgresql://ann:h%40%2Fsh@db:5433/shop?sslmode=require"
    assert warehouse_url(settings, HERE) == url


def test_a_connector_with_a_url_is_fed() -> None:
    """A feed may name one as well."""
    url = "postgresql+psycopg://tester:hush@db/test"
    SqlAlchemyConnector(connection_info=url).save("fed", overwrite=True)
    settings = FeedSettings(block="sqlalchemy-connector/fed")
    assert database_url(settings, HERE) == "postgresql://tester:hush@db/test"


def test_a_connector_opens_the_warehouse(postgres_database: str) -> None:
    """A real PostgreSQL is read through the block."""
    with psycopg.connect(postgres_database) as database:
        database.execute("CREATE TABLE customers (id integer PRIMARY KEY)")
    url = postgres_database.replace("postgresql://", "postgresql+psycopg://")
    SqlAlchemyConnector(connection_info=url).save("real", overwrite=True)
    settings = WarehouseSettings(block="sqlalchemy-connector/real", allow_writable=True)
    warehouse = open_project_warehouse(settings, HERE)
    assert list(warehouse.reflect(None, ("*",), ()).tables) == ["customers"]
    warehouse.close()


def test_arguments_of_a_connector_are_not_dropped_silently() -> None:
    """They may be what makes the connection safe."""
    SqlAlchemyConnector(
        connection_info="postgresql+psycopg://db/shop", connect_args={"sslmode": "require"}
    ).save("args", overwrite=True)
    with pytest.raises(UnusableBlockError, match="connect_args"):
        warehouse_url(WarehouseSettings(block="sqlalchemy-connector/args"), HERE)


def test_a_bucket_is_a_sandbox(s3_server: Any, tmp_path: Path) -> None:
    """A real S3 server is published to through the block, with the keys that it refers to."""
    bucket = s3_server.fresh_bucket()
    client = AwsClientParameters(endpoint_url=s3_server.endpoint_url)
    AwsCredentials(
        aws_access_key_id=s3_server.key, aws_secret_access_key=s3_server.secret,
        region_name="us-east-1", aws_client_parameters=client,
    ).save("keys", overwrite=True)  # fmt: skip
    S3Bucket(
        bucket_name=bucket, bucket_folder="/blocks/shop/",
        credentials=AwsCredentials.load("keys"),
    ).save("bucket", overwrite=True)  # fmt: skip
    store = open_project_sandbox(SandboxSettings(block="s3-bucket/bucket"), HERE)
    store.check_writable()
    assert (store.url, store.list()) == (f"s3://{bucket}/blocks/shop", [])
    url = f"s3://{bucket}/other"
    keyed = open_project_sandbox(SandboxSettings(url=url, block="aws-credentials/keys"), HERE)
    keyed.check_writable()
    assert keyed.url == url


def test_minio_keys_are_understood() -> None:
    """With a bucket, or beside a URL."""
    MinIOCredentials(minio_root_user="u", minio_root_password="hush").save("m", overwrite=True)
    S3Bucket(bucket_name="b", credentials=MinIOCredentials.load("m")).save("mb", overwrite=True)
    for settings in (
        SandboxSettings(block="s3-bucket/mb"),
        SandboxSettings(url="s3://b", block="minio-credentials/m"),
    ):
        keys = sandbox_keys(settings)
        assert (keys.url, keys.key and keys.key.get_secret_value()) == ("s3://b", "u")
        assert "hush" not in repr(keys)


def test_a_bucket_without_keys_leaves_them_to_the_environment() -> None:
    """So do the AWS tools."""
    S3Bucket(bucket_name="b").save("plain", overwrite=True)
    keys = sandbox_keys(SandboxSettings(block="s3-bucket/plain"))
    assert (keys.url, keys.key, keys.secret) == ("s3://b", None, None)


def test_what_is_not_followed_is_refused() -> None:
    """A role that would be assumed elsewhere is not taken for none."""
    AwsCredentials(assume_role_arn="arn:aws:iam::1:role/x").save("role", overwrite=True)
    with pytest.raises(UnusableBlockError, match="assume_role_arn, which is not followed"):
        sandbox_keys(SandboxSettings(url="s3://b", block="aws-credentials/role"))


def test_our_own_blocks_are_found_by_name() -> None:
    """Or by type and name."""
    Warehouse(url="postgresql://ann:hush@db/shop").save("ours", overwrite=True)
    Database(url="postgresql://tester:hush@db/test").save("ours", overwrite=True)
    Sandbox(url="s3://b/p", key="k", secret="hush").save("ours", overwrite=True)
    for name in ("ours", "synth-warehouse/ours"):
        url = warehouse_url(WarehouseSettings(block=name), HERE)
        assert url == "postgresql://ann:hush@db/shop"
    assert database_url(FeedSettings(block="ours"), HERE) == "postgresql://tester:hush@db/test"
    assert sandbox_keys(SandboxSettings(block="ours")).url == "s3://b/p"


def test_a_block_that_is_not_there_is_told() -> None:
    """And one of a type that holds no address."""
    with pytest.raises(BlockNotFoundError, match="no Warehouse block named 'nobody'"):
        warehouse_url(WarehouseSettings(block="nobody"), HERE)
    with pytest.raises(UnusableBlockError, match="no block 's3-bucket/nobody'"):
        sandbox_keys(SandboxSettings(block="s3-bucket/nobody"))
    with pytest.raises(UnusableBlockError, match=r"cannot be used here.*sqlalchemy-connector"):
        warehouse_url(WarehouseSettings(block="s3-bucket/b"), HERE)


def test_keys_alone_are_no_sandbox() -> None:
    """They need the address beside them."""
    with pytest.raises(ValidationError, match="needs 'url' beside 'aws-credentials/keys'"):
        SandboxSettings(block="aws-credentials/keys")


def save_half(block: str, name: str, data: dict[str, Any]) -> None:
    """Save what the block's own class would refuse."""
    kinds = (S3Bucket, SqlAlchemyConnector, Sandbox, Warehouse)
    next(kind for kind in kinds if kind.get_block_type_slug() == block).register_type_and_schema()
    with get_client(sync_client=True) as client:
        made = client.read_block_type_by_slug(block)
        schema = client.get_most_recent_block_schema_for_block_type(made.id)
        document = BlockDocumentCreate(
            name=name, data=data, block_type_id=made.id, block_schema_id=schema.id
        )
        client.create_block_document(document)


def sandbox_of(block: str) -> object:
    """The sandbox that a block holds."""
    return sandbox_keys(SandboxSettings(block=block))


def warehouse_of(block: str) -> object:
    """The address of a warehouse that a block holds."""
    return warehouse_url(WarehouseSettings(block=block), HERE)


@pytest.mark.parametrize(
    ("block", "missing", "read"),
    [
        ("s3-bucket", "bucket_name", sandbox_of),
        ("synth-sandbox", "url", sandbox_of),
        ("synth-warehouse", "url", warehouse_of),
        ("sqlalchemy-connector", "connection_info", warehouse_of),
    ],
)
def test_a_block_without_its_address_is_told(
    block: str, missing: str, read: Callable[[str], object]
) -> None:
    """One that an older version saved, or a person by half; never a KeyError."""
    save_half(block, "empty", {})
    named = f"{block}/empty"
    with pytest.raises(UnusableBlockError, match=f"'{named}' has no {missing}"):
        read(named)


def test_a_connector_with_nonsense_is_told_without_showing_it() -> None:
    """It may hold a password."""
    save_half("sqlalchemy-connector", "nonsense", {"connection_info": "hush hush"})
    with pytest.raises(UnusableBlockError, match="not a URL") as told:
        warehouse_url(WarehouseSettings(block="sqlalchemy-connector/nonsense"), HERE)
    assert "hush" not in str(told.value)
