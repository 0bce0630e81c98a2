"""From a sandbox's address to what stores the files there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import SecretStr

from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import SandboxDependencyError, SandboxUrlError
from prefect_synth.tasks.snapshots.folder import FolderBackend

Secret = str | SecretStr | None

_FOLDERS = ("file", "local")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")


def open_backend(
    url: str,
    endpoint_url: str | None,
    key: Secret,
    secret: Secret,
    token: Secret,
    region: str | None,
) -> Backend:
    """Return the backend for an address.

    Raises:
        SandboxUrlError: If the address or the options make no sense.
        SandboxDependencyError: If a library is needed and not installed.
    """
    if "::" in url and "://" in url:
        raise SandboxUrlError(
            "A sandbox's address is one place; chains with '::' are not supported, as nobody can "
            "tell whether they create files exclusively."
        )
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else "file"
    if scheme == "s3":
        return _open_bucket(url, endpoint_url, key, secret, token, region)
    options = {"endpoint_url": endpoint_url, "key": key, "secret": secret, "region": region}
    given = [name for name, value in options.items() if value is not None]
    if given:
        kind = "a folder" if scheme in _FOLDERS else f"at {scheme}://"
        raise SandboxUrlError(
            f"{' and '.join(given)} belong to s3://bucket/prefix, but the sandbox is {kind}: "
            "remove them."
        )
    return FolderBackend(_folder(url)) if scheme in _FOLDERS else _open_remote(url, scheme)


def _folder(url: str) -> Path:
    parts = urlsplit(url) if url.lower().startswith(("file://", "local://")) else None
    path = unquote(parts.path) if parts else url
    if not path or (parts and parts.netloc not in ("", "localhost")):
        raise SandboxUrlError(f"The sandbox {url!r} names no local folder: use file:///folder.")
    return Path(path).expanduser().absolute()


def _open_bucket(
    url: str,
    endpoint_url: str | None,
    key: Secret,
    secret: Secret,
    token: Secret,
    region: str | None,
) -> Backend:
    bucket, prefix = _bucket(url)
    _check_endpoint(endpoint_url)
    if (key is None) != (secret is None):
        raise SandboxUrlError(
            f"s3://{bucket}: key and secret belong together: give both, or neither."
        )
    try:
        from prefect_synth.tasks.snapshots.s3 import S3Backend
        from prefect_synth.tasks.snapshots.s3_errors import S3Place
    except ModuleNotFoundError as error:
        raise SandboxDependencyError(
            f"s3://{bucket} needs s3fs, and {error.name!r} is not installed: "
            "pip install 'prefect-synth[s3]'."
        ) from error
    place = S3Place(bucket, prefix, endpoint_url)
    return S3Backend(place, region, _plain(key), _plain(secret), _plain(token))


def _open_remote(url: str, scheme: str) -> Backend:
    parts = urlsplit(url)
    # the address itself is not repeated: it may hold a secret
    if parts.password is not None or parts.query or parts.fragment:
        raise SandboxUrlError(
            f"A sandbox at {scheme}:// is a plain address, as {scheme}://place/folder, without "
            "passwords, '?' or '#': credentials are looked for in the environment."
        )
    if not (parts.netloc + parts.path).strip("/"):
        raise SandboxUrlError(f"{scheme}:// names no place: use {scheme}://place/folder.")
    _check_installed(scheme)
    from prefect_synth.tasks.snapshots.remote import RemoteBackend

    return RemoteBackend(url.rstrip("/"))


def _check_installed(scheme: str) -> None:
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(scheme)
    except ValueError:
        raise SandboxUrlError(
            f"A sandbox at {scheme}:// is not supported: use a folder, s3://bucket/prefix, or what "
            "fsspec knows (gs://, abfs://, sftp://, ...)."
        ) from None
    except ImportError as error:
        raise SandboxDependencyError(
            f"A sandbox at {scheme}:// needs a library that is not installed: {error}."
        ) from error


def _bucket(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    # the address itself is not repeated: it may hold a secret
    if "@" in parts.netloc or ":" in parts.netloc:
        raise SandboxUrlError(
            "A sandbox's address is s3://bucket/prefix and holds no keys or ports: give them as "
            "sandbox.key, sandbox.secret and sandbox.endpoint_url."
        )
    if not parts.netloc or parts.query or parts.fragment or "//" in parts.path:
        raise SandboxUrlError(
            f"{url!r} is not a sandbox's address: use s3://bucket/prefix, without '?', '#' or '//'."
        )
    return parts.netloc, parts.path.strip("/")


def _check_endpoint(endpoint_url: str | None) -> None:
    if endpoint_url is None:
        return
    parts: SplitResult = urlsplit(endpoint_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise SandboxUrlError(
            "sandbox.endpoint_url must look like https://host:port, without keys in it."
        )


def _plain(secret: Secret) -> str | None:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret
