"""Is a snapshot still what its manifest says?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import SandboxDocumentError
from prefect_synth.tasks.snapshots.manifest import manifest_files
from prefect_synth.tasks.snapshots.naming import MANIFEST, manifest_key, snapshot_folder
from prefect_synth.tasks.snapshots.records import read_document


def damages(backend: Backend, snapshot_id: str) -> list[str]:
    """Return what is wrong with a snapshot's manifest itself; nothing is good.

    A snapshot without any file is none: whoever reads its manifest is told so.
    """
    try:
        found = read_document(backend, manifest_key(snapshot_id))
        if found is not None:
            list(manifest_files(found[0]))
    except (SandboxDocumentError, KeyError, TypeError, AttributeError):
        return [f"{MANIFEST} is damaged"]
    left = found is None and any(backend.objects(snapshot_folder(snapshot_id)))
    return [f"{MANIFEST} is missing"] if left else []


def differences(backend: Backend, manifest: Mapping[str, Any], contents: bool = True) -> list[str]:
    """Return one sentence for each file that is missing, changed or not listed; none is good.

    Args:
        backend: Where the snapshot is.
        manifest: What it should be.
        contents: Whether every file is read; without, they are counted and measured only.
    """
    folder = snapshot_folder(manifest["snapshot_id"])
    sizes = {item.key.removeprefix(folder): item.bytes for item in backend.objects(folder)}
    listed = {str(file["path"]): file for file in manifest_files(manifest)}
    found = [_difference(backend, folder, file, sizes, contents) for file in listed.values()]
    strange = sorted(sizes.keys() - listed.keys() - {MANIFEST})
    return [text for text in found if text] + [f"{name} is not in the manifest" for name in strange]


def _difference(
    backend: Backend,
    folder: str,
    file: Mapping[str, Any],
    sizes: Mapping[str, int],
    contents: bool,
) -> str | None:
    path, expected = str(file["path"]), int(file["bytes"])
    if path not in sizes:
        return f"{path} is missing"
    if sizes[path] != expected:
        return f"{path} has {sizes[path]} bytes, the manifest says {expected}"
    if not contents:
        return None
    digest = hashlib.sha256()
    for chunk in backend.chunks(folder + path):
        digest.update(chunk)
    return None if digest.hexdigest() == file["sha256"] else f"{path} has another sha256"
