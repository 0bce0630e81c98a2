"""Real personal values that turn up anywhere in synthetic text, found without keeping them.

A leaked e-mail address need not stand in the column of e-mail addresses: free text is searched
for whatever looks like an address, a phone, an account or a card number, and each is looked up
among the hashes of the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from prefect_synth.synth.metrics.canaries import list_items
from prefect_synth.synth.metrics.hashing import Hashes, hash_values
from prefect_synth.synth.metrics.sources import Ints, Source, read_batches, read_schema
from prefect_synth.synth.metrics.values import plain

PATTERNS = {
    "email": r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+",
    "iban": r"\b[a-z]{2}\d{2}(?:[a-z0-9]{11,30}"
    r"|(?: [a-z0-9]{4})(?: (?:[a-z0-9]{3}\d|\d[a-z0-9]{3}))+(?: \d{1,3})?)\b",
    "number": r"\+?\(?\d(?:[ ().\-/]{0,2}\d){6,}",
}
"""What looks like a personal value, in lower case: `number` is a phone, a card or an account."""

_MARK = "\x1f"  # what no text holds: it is taken out before
_SEPARATORS = r"[\s().\-/+]"
_COMPACTED = r"^\+?[\s().\-/]*(?:[a-z]{2})?\d[a-z0-9\s().\-/]{5,}$"


def text_hashes(values: pa.ChunkedArray) -> Hashes:
    """Hash the values of a column such that case and outer blanks do not matter.

    Args:
        values: A column of text, or of any other type.

    Returns:
        One hash for each value that is neither null nor empty.
    """
    values = values.drop_null()
    if pt.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if _is_text(values.type):
        values = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        values = values.filter(pc.not_equal(values, ""))
    return np.concatenate([np.zeros(0, dtype=np.uint64), *map(hash_values, values.chunks)])


def personal_hashes(values: pa.ChunkedArray) -> Hashes:
    """Hash personal values to be looked for in text, numbers also without their separators.

    Args:
        values: A real column of personal values.

    Returns:
        Sorted distinct hashes of both forms, for `find_hashes`.
    """
    values = plain(values).drop_null()
    if not _is_text(values.type):
        values = values.cast(pa.string())
    values = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    values = values.filter(pc.not_equal(values, ""))
    compact = [_compact(chunk) for chunk in values.chunks]
    parts = [hash_values(chunk) for chunk in [*values.chunks, *compact]]
    return np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *parts]))


def count_known(hashes: Hashes, known: Hashes) -> int:
    """Count the hashes that are among sorted ones.

    Args:
        hashes: The hashes, one for each value.
        known: Those that are looked for, sorted.
    """
    ordered = np.sort(hashes)  # neighbours are looked up near each other
    at = np.searchsorted(known, ordered)
    inside = at < len(known)
    return int(np.count_nonzero(known[at[inside]] == ordered[inside]))


@dataclass(frozen=True)
class _Known:
    """Hashes of several columns, merged once and sorted: sorting them for each batch takes longest.

    Args:
        hashes: All hashes, sorted; one that two columns have stands there twice.
        owners: The number of the column of each.
        names: The columns.
    """

    hashes: Hashes
    owners: Ints
    names: tuple[str, ...]

    @classmethod
    def merge(cls, real: Mapping[str, Hashes]) -> _Known:
        """Merge the hashes of all columns, sorted or not."""
        hashes = np.concatenate([np.zeros(0, dtype=np.uint64), *real.values()])
        owners = np.repeat(np.arange(len(real)), [len(known) for known in real.values()])
        order = np.argsort(hashes, kind="stable")  # sorted sets are merged in no time
        hashes, owners = hashes[order], owners[order]
        again = np.zeros(len(hashes), dtype=bool)
        again[1:] = (hashes[1:] == hashes[:-1]) & (owners[1:] == owners[:-1])
        return cls(hashes[~again], owners[~again], tuple(real))

    def count(self, words: Hashes, rows: Ints) -> dict[str, int]:
        """The rows with a word of each column, by column."""
        order = np.argsort(words)  # neighbours are looked up near each other
        words, rows = words[order], rows[order]
        first = np.searchsorted(self.hashes, words)
        inside = first < len(self.hashes)
        inside[inside] = self.hashes[first[inside]] == words[inside]
        words, rows, first = words[inside], rows[inside], first[inside]
        lengths = np.searchsorted(self.hashes, words, side="right") - first
        ends = np.cumsum(lengths)
        at = np.arange(lengths.sum()) + np.repeat(first - ends + lengths, lengths)
        pairs = np.unique(np.repeat(rows, lengths) * len(self.names) + self.owners[at])
        found = np.bincount(pairs % max(len(self.names), 1), minlength=len(self.names))
        return dict(zip(self.names, found.tolist(), strict=True))


def find_hashes(source: Source, real: Mapping[str, Hashes]) -> dict[str, dict[str, int]]:
    """Count the cells of each text column in which a real personal value stands.

    All rows are read. A cell counts where it is such a value as a whole, or where something in it
    that looks like one (see `PATTERNS`) is.

    Args:
        source: The synthetic rows.
        real: By real column, what `personal_hashes` (or `text_hashes`) made of it.

    Returns:
        By synthetic column with a hit, the cells by the real column whose value was found.
    """
    schema = read_schema(source)
    columns = [name for name in schema.names if _holds_text(schema.field(name).type)]
    known = _Known.merge(real)
    counts = {column: dict.fromkeys(real, 0) for column in columns}
    for batch in read_batches(source, columns):
        for column in columns:
            for name, hits in _hits(batch.column(column), known).items():
                counts[column][name] += hits
    found = {c: {name: hits for name, hits in by.items() if hits} for c, by in counts.items()}
    return {column: by for column, by in found.items() if by}


def _hits(values: pa.Array, known: _Known) -> dict[str, int]:
    texts, rows = flat_texts(values)
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    words, owners = [hash_values(texts)], [rows]
    for pattern in PATTERNS.values():
        matches, places = _matches(texts, pattern)
        words += [hash_values(matches), hash_values(_compact(matches))]
        owners += [rows[places], rows[places]]
    return known.count(np.concatenate(words), np.concatenate(owners))


def flat_texts(values: pa.Array) -> tuple[pa.Array, Ints]:
    """The texts of a column, those in lists too, and the row of each; nulls are left out."""
    rows = np.arange(len(values))
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    while _is_list(values.type):
        values, owners = list_items(values)
        rows = rows[owners]
    if pt.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    return values.drop_null().cast(pa.string()), rows[valid]


def _matches(texts: pa.Array, pattern: str) -> tuple[pa.Array, Ints]:
    """All that matches a pattern, and the position of the text of each."""
    places = np.flatnonzero(_bools(pc.match_substring_regex(texts, pattern)))
    texts = pc.replace_substring(texts.take(pa.array(places)), _MARK, " ")
    marked = pc.replace_substring_regex(texts, f"({pattern})", rf"{_MARK}\1{_MARK}")
    parts = pc.split_pattern(marked, _MARK)
    # between two marks every other part is a match
    offsets = parts.offsets.to_numpy()
    owners = pc.list_parent_indices(parts).to_numpy()
    is_match = (np.arange(len(owners)) - (offsets[:-1] - offsets[0])[owners]) % 2 == 1
    return pc.list_flatten(parts).filter(pa.array(is_match)), places[owners[is_match]]


def _compact(texts: pa.Array) -> pa.Array:
    """Numbers without separators; other texts as they are."""
    numbers = pc.match_substring_regex(texts, _COMPACTED)
    return pc.if_else(numbers, pc.replace_substring_regex(texts, _SEPARATORS, ""), texts)


def _bools(values: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)


def _is_text(type_: pa.DataType) -> bool:
    return bool(pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_))


def _holds_text(type_: pa.DataType) -> bool:
    if isinstance(type_, pa.BaseExtensionType):
        type_ = type_.storage_type
    while _is_list(type_) or pt.is_dictionary(type_):
        type_ = type_.value_type
    return _is_text(type_)


def _is_list(type_: pa.DataType) -> bool:
    return bool(
        pt.is_nested(type_) and not (pt.is_struct(type_) or pt.is_map(type_) or pt.is_union(type_))
    )
