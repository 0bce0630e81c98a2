"""Where a browser finds the report of a snapshot."""

from __future__ import annotations

import pytest

from prefect_synth.tasks.report_links import browsable
from prefect_synth.tasks.settings import SandboxSettings

S3 = "s3://bucket/shop/snapshots/a b/report.html"


@pytest.mark.parametrize(
    ("url", "settings", "page"),
    [
        (
            S3,
            {"url": "s3://bucket/shop"},
            "https://console.aws.amazon.com/s3/object/bucket?prefix=shop/snapshots/a%20b/report.html",
        ),
        (
            S3,
            {"url": "s3://bucket/shop", "endpoint_url": "https://store.example/"},
            "https://store.example/bucket/shop/snapshots/a%20b/report.html",
        ),
        ("gs://b/shop/report.html", {"url": "gs://b/shop"}, "https://storage.cloud.google.com/b/shop/report.html"),
        ("/sandbox/report.html", {"url": "sandbox"}, None),
        (S3, {"block": "sandbox"}, None),
        (S3, {"url": "s3://b", "endpoint_url": "https://me:secret@store.example"}, None),
    ],
)  # fmt: skip
def test_a_browser_is_sent_where_the_file_is_and_no_secret_goes_along(
    url: str, settings: dict[str, str], page: str | None
) -> None:
    """Stores that have pages are linked; folders, blocks and credentials are not."""
    assert browsable(url, SandboxSettings(**settings)) == page
