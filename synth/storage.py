"""Models on disk: JSON for structure, safetensors for arrays, no pickle.

Only classes marked `@stored` are written or built, so reading a model runs no code of the file's
choosing. A folder holds `<name>.json` and `<name>.safetensors`.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

FORMAT = 1
_MAPPED = 2**20

T = TypeVar("T")
_CLASSES: dict[str, type] = {}


class StorageError(ValueError):
    """A model on disk cannot be read by this version."""


def stored(cls: type[T]) -> type[T]:
    """Mark a dataclass as one that models on disk may contain."""
    _CLASSES[cls.__name__] = cls
    return cls


def save_state(folder: Path, name: str, value: Any) -> None:
    """Write `value` (dataclasses marked `@stored`, arrays, Arrow, plain JSON) into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    document = {"format": FORMAT, "value": _encode(value, arrays)}
    save_file(arrays, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(document, sort_keys=True))


def save_mapped(folder: Path, name: str, value: Any) -> None:
    """As `save_state`, for what is too large to be read whole: an `.npy` file for each array."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    document = {"format": FORMAT, "value": _encode(value, arrays)}
    for key, array in arrays.items():
        np.save(folder / f"{name}-{key}.npy", array, allow_pickle=False)
    (folder / f"{name}.json").write_text(json.dumps(document, sort_keys=True))


def load_mapped(folder: Path, name: str) -> Any:
    """Read what `save_mapped` wrote; arrays stay in their files until they are looked at.

    Raises:
        StorageError: The file is missing, of another format, or names an unknown class.
    """
    document = _read_document(folder, name)
    arrays = {
        file.stem.removeprefix(f"{name}-"): np.load(
            file, mmap_mode="r" if file.stat().st_size > _MAPPED else None, allow_pickle=False
        )
        for file in folder.glob(f"{name}-*.npy")
    }
    return _decode(document["value"], arrays)


def fingerprint_of(value: Any) -> bytes:
    """A hash of all that `save_state` would write."""
    arrays: dict[str, np.ndarray] = {}
    document = json.dumps(_encode(value, arrays), sort_keys=True)
    digest = hashlib.sha256(document.encode())
    for array in arrays.values():
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()


def load_state(folder: Path, name: str) -> Any:
    """Read what `save_state` wrote.

    Raises:
        StorageError: The file is missing, of a later format, or names an unknown class.
    """
    arrays = folder / f"{name}.safetensors"
    document = _read_document(folder, name)
    if not arrays.exists():
        raise StorageError(f"There is no model at '{folder}': '{arrays.name}' is missing.")
    try:
        return _decode(document["value"], load_file(arrays))
    except SafetensorError as error:
        raise StorageError(f"The model '{arrays}' is damaged: {error}. Train it again.") from error


def _read_document(folder: Path, name: str) -> dict[str, Any]:
    """The JSON of a stored value, checked for its format."""
    path = folder / f"{name}.json"
    if not path.exists():
        raise StorageError(f"There is no model at '{folder}': '{path.name}' is missing.")
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise StorageError(f"The model '{path}' is damaged: {error}. Train it again.") from error
    if document.get("format") != FORMAT:
        raise StorageError(
            f"The model '{path}' has format {document.get('format')!r}; this version reads "
            f"format {FORMAT}. Train it again, or upgrade prefect-synth."
        )
    return dict(document)


def folder_name(table: str) -> str:
    """A folder name of its own for any table name: no separator, no `..`, nothing hidden."""
    quoted = quote(table, safe=" ")
    return quoted.replace(".", "%2E", 1) if quoted.startswith(".") else quoted


def _encode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if type(value).__name__ not in _CLASSES:
            raise StorageError(f"{type(value).__name__} is not marked as stored.")
        fields = {
            f.name: _encode(getattr(value, f.name), arrays) for f in dataclasses.fields(value)
        }
        return {"$class": type(value).__name__, "fields": fields}
    if isinstance(value, np.ndarray):
        key = f"a{len(arrays)}"
        arrays[key] = np.ascontiguousarray(value)
        return {"$array": key}
    if isinstance(value, pa.Array):
        value = pa.table({"values": value})
        return {"$values": _to_text(value)}
    if isinstance(value, pa.Schema):
        return {"$schema": base64.b64encode(value.serialize().to_pybytes()).decode()}
    if isinstance(value, tuple):
        return {"$tuple": [_encode(v, arrays) for v in value]}
    if isinstance(value, list):
        return [_encode(v, arrays) for v in value]
    if isinstance(value, dict):
        return {"$dict": [[_encode(k, arrays), _encode(v, arrays)] for k, v in value.items()]}
    return value.item() if isinstance(value, np.generic) else value


def _decode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decode(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, content), *_) = value.items()
    if kind == "$class":
        if content not in _CLASSES:
            raise StorageError(f"The model holds a '{content}', which this version does not know.")
        fields = {k: _decode(v, arrays) for k, v in value["fields"].items()}
        return _CLASSES[content](**fields)
    if kind == "$array":
        return arrays[content]
    if kind == "$values":
        return pa.ipc.open_stream(base64.b64decode(content)).read_all()["values"].combine_chunks()
    if kind == "$schema":
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(content)))
    if kind == "$tuple":
        return tuple(_decode(v, arrays) for v in content)
    return {_decode(k, arrays): _decode(v, arrays) for k, v in content}


def _to_text(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()
