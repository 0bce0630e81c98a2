"""A sandbox in a bucket, by s3fs: conditional writes, checked uploads, no listing cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fsspec.asyn import sync
from s3fs import S3FileSystem
from s3fs.core import S3_RETRYABLE_ERRORS

from prefect_synth.tasks.snapshots.backend import StoredObject, UnfinishedUpload
from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.s3_errors import S3Place, error_code, is_conflict

_PART = 16 << 20
_MOST_PARTS = 10_000
_READ_TRIES = 4
_JSON = {"ContentType": "application/json", "CacheControl": "no-store"}


@dataclass(frozen=True)
class S3Backend:
    """Objects under a bucket's prefix."""

    place: S3Place
    region: str | None = None
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    _files: S3FileSystem = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_files", self._connect())

    @property
    def url(self) -> str:
        """The address without credentials."""
        return self.place.url

    def reach(self) -> None:
        """List one object, without the patience of later calls: a wrong address shows in 5 s."""
        hasty = self._connect(retries={"mode": "standard", "total_max_attempts": 1})
        hasty.retries = 1
        with self.place.clear_errors("list the bucket (s3:ListBucket)"):
            hasty.call_s3(
                "list_objects_v2", Bucket=self.place.bucket, Prefix=self._key(""), MaxKeys=1
            )

    def free_bytes(self) -> int | None:
        """Return None: a bucket has no end."""
        return None

    def put_file(self, path: Path, key: str) -> None:
        """Upload a file that lies ready on disk; a broken upload leaves nothing visible."""
        # never `with open(key, "wb")`: leaving that block by an exception publishes a torn object
        with self.place.clear_errors("write objects (s3:PutObject)"):
            size = path.stat().st_size
            part = max(_PART, -(-size // _MOST_PARTS))
            try:
                self._files.put_file(str(path), self._path(key), chunksize=part)
            except FileNotFoundError as error:
                # a retried completion whose first reply was lost: the size below decides
                if error_code(error) != "NoSuchUpload":
                    raise
        with self.place.clear_errors("read objects (s3:GetObject)"):
            stored = self._call("head_object", key)["ContentLength"]
        if stored != size:
            raise SandboxError(
                f"{self.url}/{key} has {stored} bytes, {path} has {size}: run again."
            )

    def put_new(self, key: str, content: bytes) -> bool:
        """Create an object unless it exists (If-None-Match)."""
        return self._put_if(key, content, IfNoneMatch="*")

    def compare_and_swap(self, key: str, content: bytes, token: str | None) -> bool:
        """Replace an object if its ETag is still this one (If-Match)."""
        return self._put_if(key, content, **({"IfMatch": token} if token else {"IfNoneMatch": "*"}))

    def read_with_token(self, key: str) -> tuple[bytes, str] | None:
        """Return an object and its ETag from one and the same reply."""
        with self.place.clear_errors("read objects (s3:GetObject)"):
            try:
                return self._read(key)
            except FileNotFoundError as error:
                if error_code(error) == "NoSuchBucket":
                    raise
                return None

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes in bounded pieces."""
        with (
            self.place.clear_errors("read objects (s3:GetObject)"),
            self._files.open(self._path(key), "rb", block_size=_PART) as file,
        ):
            while chunk := file.read(_PART):
                yield chunk

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects under a prefix, page by page."""
        position: dict[str, str] = {}
        while True:
            with self.place.clear_errors("list the bucket (s3:ListBucket)"):
                page = self._list("list_objects_v2", prefix, position)
            for item in page.get("Contents", ()):
                yield StoredObject(self._relative(item["Key"]), item["Size"], item["LastModified"])
            if not page.get("IsTruncated"):
                return
            position = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """Delete an object; S3 does not mind if it is absent."""
        with self.place.clear_errors("delete objects (s3:DeleteObject)"):
            self._call("delete_object", key)

    def uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        """Yield the multipart uploads under our own prefix only, never a neighbour's."""
        position: dict[str, str] = {}
        while True:
            with self.place.clear_errors("list uploads (s3:ListBucketMultipartUploads)"):
                page = self._list("list_multipart_uploads", prefix, position)
            # not every server honours Prefix here
            start = self._key(prefix)
            for item in page.get("Uploads", ()):
                if item["Key"].startswith(start):
                    key = self._relative(item["Key"])
                    yield UnfinishedUpload(key, item["Initiated"], item["UploadId"])
            if not page.get("IsTruncated"):
                return
            position = {
                "KeyMarker": page["NextKeyMarker"],
                "UploadIdMarker": page["NextUploadIdMarker"],
            }

    def discard_upload(self, upload: UnfinishedUpload) -> None:
        """Abort a multipart upload."""
        with self.place.clear_errors("abort uploads (s3:AbortMultipartUpload)"):
            try:
                self._call("abort_multipart_upload", str(upload.key), UploadId=upload.handle)
            except FileNotFoundError:
                return  # finished or aborted meanwhile

    def _put_if(self, key: str, content: bytes, **condition: str) -> bool:
        with self.place.clear_errors("write objects (s3:PutObject)"):
            try:
                self._call("put_object", key, Body=content, **_JSON, **condition)
            except OSError as error:
                if is_conflict(error):
                    return False
                raise
        return True

    def _read(self, key: str) -> tuple[bytes, str]:
        for tries_left in reversed(range(_READ_TRIES)):
            try:
                found: tuple[bytes, str] = sync(self._files.loop, self._get, key)
            except S3_RETRYABLE_ERRORS:  # the connection broke inside the body
                if not tries_left:
                    raise
                time.sleep(0.2)
            else:
                return found
        raise AssertionError("unreachable")

    async def _get(self, key: str) -> tuple[bytes, str]:
        reply = await self._files._call_s3(
            "get_object", Bucket=self.place.bucket, Key=self._key(key)
        )
        return await reply["Body"].read(), reply["ETag"]

    def _call(self, method: str, key: str, **arguments: Any) -> Any:
        return self._files.call_s3(
            method, Bucket=self.place.bucket, Key=self._key(key), **arguments
        )

    def _list(self, method: str, prefix: str, position: dict[str, str]) -> Any:
        return self._files.call_s3(
            method, Bucket=self.place.bucket, Prefix=self._key(prefix), **position
        )

    def _key(self, key: str) -> str:
        return f"{self.place.prefix}/{key}" if self.place.prefix else key

    def _path(self, key: str) -> str:
        return f"{self.place.bucket}/{self._key(key)}"

    def _relative(self, key: str) -> str:
        return key.removeprefix(f"{self.place.prefix}/") if self.place.prefix else key

    def _connect(self, **config: Any) -> S3FileSystem:
        return S3FileSystem(
            key=self.key,
            secret=self.secret,
            token=self.token,
            endpoint_url=self.place.endpoint_url,
            client_kwargs={"region_name": self.region} if self.region else {},
            config_kwargs={"connect_timeout": 5, "read_timeout": 60, **config},
            max_concurrency=4,  # 4 parts of 16 MB: what an upload holds in memory
            use_listings_cache=False,
            skip_instance_cache=True,
        )
