"""Where a browser finds a file of the sandbox."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from prefect_synth.tasks.settings import SandboxSettings

_PAGES = {
    # for whoever is signed in there; nothing here is signed, so nothing here is a secret
    "s3": "https://console.aws.amazon.com/s3/object/{bucket}?prefix={key}",
    "gs": "https://storage.cloud.google.com/{bucket}/{key}",
}


def browsable(url: str, settings: SandboxSettings) -> str | None:
    """The address for a browser; None where no browser opens it, as for a folder of this machine.

    Args:
        url: The file, as `s3://bucket/key`.
        settings: The project file's `sandbox`.
    """
    kind, _, place = url.partition("://")
    bucket, _, key = place.partition("/")
    if kind == "s3" and (settings.block or settings.endpoint_url):
        return _at_endpoint(settings.endpoint_url, place)
    if kind in _PAGES:
        return _PAGES[kind].format(bucket=bucket, key=quote(key))
    return None


def _at_endpoint(endpoint: str | None, place: str) -> str | None:
    """A store that speaks S3; a block keeps its endpoint, and its secrets, to itself."""
    if endpoint is None or urlsplit(endpoint).username:
        return None
    return f"{endpoint.rstrip('/')}/{quote(place)}"
