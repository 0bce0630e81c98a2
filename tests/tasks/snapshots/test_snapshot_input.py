"""Bad input costs nothing: it is refused before anything is sent."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from prefect_synth.tasks.snapshots.errors import SandboxError, SandboxUrlError, UnjudgedRowsError
from prefect_synth.tasks.snapshots.store import open_store


@pytest.fixture
def folder_store(tmp_path):
    """An empty sandbox in a folder."""
    return open_store(str(tmp_path / "sandbox"))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"tables": 1}, r"keys \['tables'\] are written by the store"),
        ({"score": float("nan")}, "must be JSON: Out of range float"),
        ({"when": object()}, "must be JSON: Object of type object"),
        ({"created": "yesterday"}, "moment with a time zone, got 'yesterday'"),
        ({"created": "2026-01-01T00:00:00"}, "moment with a time zone, got '2026"),
    ],
)
def test_a_bad_manifest_is_refused(folder_store, make_shop, facts, message):
    """The message shows what was found."""
    with pytest.raises(SandboxError, match=message):
        folder_store.publish("run-1", make_shop(), facts)
    assert list(folder_store.backend.objects("")) == []


def test_a_snapshot_without_tables_is_refused(folder_store):
    """Nothing is not a snapshot."""
    with pytest.raises(SandboxError, match="at least one table"):
        folder_store.publish("run-1", {}, {})


def test_a_file_that_is_not_parquet_is_refused(folder_store, make_shop, tmp_path):
    """The message names the table and the file."""
    text = tmp_path / "orders.csv"
    text.write_text("id\n1\n")
    with pytest.raises(SandboxError, match=r"Table 'orders' .*orders\.csv is not a readable Parq"):
        folder_store.publish("run-1", {"orders": text}, {})


def test_a_file_that_was_not_judged_is_refused(folder_store, make_shop):
    """What the gates have seen is told by the SHA-256 of each file; another one stays here."""
    shop = make_shop()
    with pytest.raises(UnjudgedRowsError, match="its files are not those that passed the gates"):
        folder_store.publish("run-1", shop, {}, judged={name: ["0" * 64] for name in shop})
    assert list(folder_store.backend.objects("")) == []


def test_a_missing_file_is_refused(folder_store, make_shop, tmp_path):
    """Tables and extra files must be there."""
    with pytest.raises(SandboxError, match="Table 'orders'"):
        folder_store.publish("run-1", {"orders": tmp_path / "no.parquet"}, {})
    with pytest.raises(SandboxError, match=r"no\.html cannot be published: there is no such file"):
        folder_store.publish("run-1", make_shop(), {}, {"a.html": tmp_path / "no.html"})


@pytest.mark.parametrize("name", ["manifest.json", "a/b.html", "..", ""])
def test_an_extra_file_needs_a_plain_name(folder_store, make_shop, tmp_path, name):
    """No way out of the snapshot's folder, and no way over the manifest."""
    with pytest.raises(SandboxError, match=r"(Extra|extra) file"):
        folder_store.publish("run-1", make_shop(), {}, {name: tmp_path})


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("nosuch://bucket/shop", {}, "nosuch:// is not supported"),
        ("memory://", {}, "names no place"),
        ("sftp://me:hush@host/shop", {}, "without passwords"),
        ("dir::memory://shop", {}, "'::'"),
        ("memory://shop", {"region": "eu-central-1"}, "region belong"),
        ("file://host/shop", {}, "names no local folder"),
        ("", {}, "names no local folder"),
        ("shop", {"region": "eu-central-1"}, "region belong"),
        ("s3:///shop", {}, "use s3://bucket/prefix"),
        ("s3://bucket/a//b", {}, "use s3://bucket/prefix"),
        ("s3://bucket/a?b", {}, "use s3://bucket/prefix"),
        ("s3://bucket", {"key": "only"}, "key and secret belong together"),
        ("s3://bucket", {"endpoint_url": "localhost:9000"}, "https://host:port"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused(url, options, message):
    """The message says what an address looks like."""
    with pytest.raises(SandboxUrlError, match=message):
        open_store(url, **options)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://id:hush@bucket/shop", {}),
        ("s3://bucket", {"endpoint_url": "https://id:hush@host"}),
        ("folder", {"key": "id", "secret": "hush"}),
        ("sftp://me:hush@host/shop", {}),
        ("abfs://shop@lab.dfs.core.windows.net/a?sig=hush", {}),
    ],
)
def test_an_error_about_an_address_shows_no_secret(url, options):
    """A secret in the wrong place is not repeated."""
    with pytest.raises(SandboxUrlError) as caught:
        open_store(url, **options)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("wrap", [str, SecretStr])
def test_a_store_does_not_show_its_secrets(wrap):
    """Neither repr nor str tells them."""
    store = open_store("s3://bucket/shop", key=wrap("id-1"), secret=wrap("hush"))
    assert not {"id-1", "hush"} & set(repr(store).replace("'", " ").split())
    assert "hush" not in f"{store!r} {store} {store.backend!r}"


@pytest.mark.parametrize(
    "url", ["{}/a b", "file://{}/a%20b", "file://localhost{}/a%20b", "local://{}/a%20b"]
)
def test_a_folder_can_be_given_as_path_or_as_address(tmp_path, make_shop, url):
    """All forms of an address mean the same folder."""
    snapshot = open_store(url.format(tmp_path)).publish("run-1", make_shop(), {})
    assert snapshot.url == f"{tmp_path}/a b/snapshots/{snapshot.snapshot_id}"
