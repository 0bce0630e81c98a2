"""A sandbox that cannot be written is found out before the expensive part, and explained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from prefect_synth.tasks.snapshots.errors import (
    SandboxCredentialsError,
    SandboxDependencyError,
    SandboxFullError,
    SandboxNotFoundError,
    SandboxPermissionError,
    SandboxUnreachableError,
    SandboxUnsafeError,
)
from prefect_synth.tasks.snapshots.folder import FolderBackend
from prefect_synth.tasks.snapshots.policy import bucket_policy
from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store


@pytest.fixture
def mounted(tmp_path):
    """Mount small file systems in memory; skips where that is not allowed."""
    folders = []

    def mount(options):
        folder = tmp_path / f"mount-{len(folders)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a tmpfs needs root")
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run(["umount", str(folder)], check=True)


def _open(server, bucket, identity, endpoint_url=None, prefix="shop"):
    user = server.identities[identity]
    return open_store(
        f"s3://{bucket}/{prefix}",
        endpoint_url=endpoint_url or server.endpoint_url,
        key=user.key,
        secret=user.secret,
    )


def test_a_good_sandbox_passes_and_is_left_as_it_was(store):
    """The trial takes its own file away."""
    store.check_writable()
    assert [item.key for item in store.backend.objects("") if item.key != ".lock"] == []


@pytest.mark.parametrize(
    ("identity", "right"),
    [
        ("read_only", r"write objects \(s3:PutObject\)"),
        ("no_list", r"list the bucket \(s3:ListBucket\)"),
        ("no_read", r"read objects \(s3:GetObject\)"),
        ("no_access", r"list the bucket \(s3:ListBucket\)"),
    ],
)
def test_a_missing_right_on_the_bucket_is_named(s3_server, s3_bucket, identity, right):
    """The error names the address and the right, and brings the policy to paste."""
    with pytest.raises(
        SandboxPermissionError, match=rf"s3://{s3_bucket}/shop: .*{right}"
    ) as caught:
        _open(s3_server, s3_bucket, identity).check_writable()
    assert f'"arn:aws:s3:::{s3_bucket}/shop/*"' in caught.value.__notes__[0]


def test_rights_on_its_own_prefix_are_enough(s3_server, make_shop):
    """A publisher needs nothing outside its prefix, for retention neither."""
    bucket = s3_server.fresh_bucket("least")
    store = _open(s3_server, bucket, "prefix_only")
    store.check_writable()
    for run in ("run-1", "run-2"):
        store.publish(run, make_shop(), {})
    assert len(store.retain(last=1, grace_hours=0)) == 1
    assert store.verify(store.latest().snapshot_id) == []
    with pytest.raises(SandboxPermissionError):
        _open(s3_server, bucket, "prefix_only", prefix="other").check_writable()


def test_a_missing_bucket_is_named(s3_server):
    """The publisher makes no bucket behind anybody's back."""
    with pytest.raises(SandboxNotFoundError, match=r"no bucket 'no-such-bucket'\. Create"):
        _open(s3_server, "no-such-bucket", "publisher").check_writable()


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [("stranger", "hush-hush", "InvalidAccessKeyId"), (None, "hush-hush", "SignatureDoesNotMatch")],
)
def test_wrong_keys_are_told_apart_and_not_printed(s3_server, s3_bucket, key, secret, code):
    """Neither the message nor the traceback holds the secret."""
    options = {"endpoint_url": s3_server.endpoint_url, "key": key or s3_server.key}
    store = open_store(f"s3://{s3_bucket}/shop", secret=secret, **options)
    with pytest.raises(SandboxCredentialsError, match=code) as caught:
        store.check_writable()
    shown = "".join(traceback.format_exception(caught.value))
    assert "hush-hush" not in shown


def test_missing_keys_are_explained(s3_server, s3_bucket, monkeypatch):
    """Without any credentials in sight the message says where they go."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = open_store(f"s3://{s3_bucket}/shop", endpoint_url=s3_server.endpoint_url)
    with pytest.raises(SandboxCredentialsError, match=r"no access keys were found\. Set sandbox"):
        store.check_writable()


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_an_unreachable_server_is_found_out_quickly(s3_server, endpoint):
    """No long patience before the work has begun."""
    start = time.monotonic()
    with pytest.raises(SandboxUnreachableError, match=f"nobody answers at {endpoint}"):
        _open(s3_server, "bucket", "publisher", endpoint).check_writable()
    assert time.monotonic() - start < 8


def test_a_publisher_without_rights_leaves_readers_alone(s3_server, s3_bucket, make_shop):
    """Publishing with a reader's key fails clearly too."""
    with pytest.raises(SandboxPermissionError, match="s3:PutObject"):
        _open(s3_server, s3_bucket, "read_only").publish("run-1", make_shop(), {})


def test_a_reader_needs_no_right_to_write(s3_server, s3_sandbox, make_shop):
    """Test environments read with a key that can only read."""
    published = s3_sandbox.open().publish("run-1", make_shop(), {})
    user = s3_server.read_only
    options = {**s3_sandbox.options, "key": user.key, "secret": user.secret}
    reader = open_store(s3_sandbox.url, **options)
    assert (reader.latest(), reader.verify(published.snapshot_id)) == (published, [])


def test_a_read_only_folder_is_named(mounted, make_shop):
    """The error says who may not do what, and where."""
    store = open_store(str(mounted("ro") / "sandbox"))
    with pytest.raises(SandboxPermissionError, match=r"sandbox: this process may not .*Read-only"):
        store.check_writable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_named(tmp_path):
    """Missing rights are told apart from a missing folder."""
    tmp_path.chmod(0o500)
    with pytest.raises(SandboxPermissionError, match="Permission denied"):
        open_store(str(tmp_path / "sandbox")).check_writable()
    tmp_path.chmod(0o700)


def test_a_full_disk_is_found_out_beforehand(mounted):
    """The trial's few bytes are enough to see it."""
    folder = mounted("size=64k")
    store = open_store(str(folder / "sandbox"))
    store.check_writable()
    with pytest.raises(OSError, match="No space left"):
        (folder / "filler").write_bytes(b"x" * 1_000_000)
    with pytest.raises(SandboxFullError, match=r"no space is left\. Free some on that disk"):
        store.check_writable()


def test_a_disk_that_is_too_small_is_found_out_beforehand(mounted):
    """The space that will be needed can be asked for."""
    store = open_store(str(mounted("size=1m")))
    with pytest.raises(SandboxFullError, match="about 2,000,000 are needed"):
        store.check_writable(needed_bytes=2_000_000)


def test_a_disk_that_fills_up_while_publishing_leaves_the_last_snapshot(mounted, make_shop):
    """The half attempt is taken back, so that the disk is not left full."""
    store = open_store(str(mounted("size=1m")))
    first = store.publish("run-1", make_shop(), {})
    with pytest.raises(SandboxFullError, match=r"sandbox\.retain"):
        store.publish("run-2", make_shop(rows=500_000), {})
    assert (store.latest(), store.verify(first.snapshot_id)) == (first, [])
    assert store.publish("run-2", make_shop(), {}).generation == 2


class Forgetful(FolderBackend):
    """A store that ignores conditions, as some S3 servers do."""

    def put_new(self, key, content):
        (self.root / key).unlink(missing_ok=True)
        return super().put_new(key, content)


def test_a_store_that_ignores_conditions_is_refused(tmp_path):
    """Without conditional writes two runs could overwrite each other unseen."""
    with pytest.raises(SandboxUnsafeError, match="does not keep conditional writes"):
        SnapshotStore(Forgetful(tmp_path)).check_writable()


def test_without_s3fs_the_message_says_what_to_install(tmp_path):
    """The extra is optional, and a folder needs none of it."""
    script = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from prefect_synth.tasks.snapshots.store import open_store\n"
        f"open_store({str(tmp_path)!r}).check_writable()\n"
        "open_store('s3://bucket/shop')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "pip install 'prefect-synth[s3]'" in done.stderr
    assert SandboxDependencyError.__name__ in done.stderr


def test_opening_a_folder_does_not_import_s3fs(tmp_path):
    """The command line stays quick."""
    script = (
        "import sys\n"
        "from prefect_synth.tasks.snapshots.store import open_store\n"
        f"open_store({str(tmp_path)!r}).latest()\n"
        "print({'s3fs', 'botocore', 'fsspec'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_the_policy_covers_the_prefix_and_nothing_else():
    """Objects outside the prefix stay out of reach."""
    statements = {part["Sid"]: part for part in bucket_policy("lab", "shop")["Statement"]}
    assert statements["WriteSandbox"]["Resource"] == "arn:aws:s3:::lab/shop/*"
    assert statements["ListSandbox"]["Condition"] == {"StringLike": {"s3:prefix": "shop/*"}}


def test_the_documented_policy_is_the_one_the_errors_bring():
    """The page to paste from and the code agree."""
    page = (Path(__file__).parents[3] / "docs" / "snapshots.md").read_text()
    documented = json.loads(page.split("```json\n")[1].split("```")[0])
    assert documented == bucket_policy("test-data", "shop")
