"""Blobs in an Azure container: they are replaced only if their ETag is still the same."""

from __future__ import annotations

from prefect_synth.tasks.snapshots.remote_files import RemoteFiles, token_of


class AzureFiles(RemoteFiles):
    """Blobs, by adlfs."""

    def replace_if(self, key: str, content: bytes, token: str) -> bool:
        """Replace a blob if its content is still the one of this token (If-Match).

        The ETag is asked for before the content: if the content is right and the ETag still holds
        when the new one arrives, nothing has come between.
        """
        # here, because the library is an extra and this file must be importable without it
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError

        path = self.path(key)
        self.files.invalidate_cache()
        try:
            etag = self.files.info(path)["etag"]
            if token_of(self.files.cat_file(path)) != token:
                return False
            unchanged = MatchConditions.IfNotModified
            self.files.pipe_file(path, content, etag=etag, match_condition=unchanged)
        except (FileNotFoundError, ResourceModifiedError):
            return False
        return True
