"""References: small, printable, and the same in every process."""

from __future__ import annotations

from pathlib import Path

from prefect_synth.tasks.references import (
    TableRef,
    file_fingerprint,
    fingerprint,
    table_ref,
    whole_table,
)


def test_a_reference_survives_json(tmp_path: Path) -> None:
    """Prefect keeps references as JSON, never as pickles."""
    file = tmp_path / "orders.parquet"
    file.write_bytes(b"rows")
    reference = table_ref("orders", file, 3)
    assert TableRef.model_validate_json(reference.model_dump_json()) == reference


def test_a_table_knows_each_of_its_files(tmp_path: Path) -> None:
    """However parts were put together, pinned rows last, every file is named by its SHA-256."""
    files = [tmp_path / f"part-{at}.parquet" for at in range(3)]
    for file in files:
        file.write_text(file.name)
    parts = [table_ref("orders", file, 1) for file in files]
    apart = whole_table([whole_table(parts[:2]), parts[2]])
    assert apart == whole_table(parts)
    assert apart.files == tuple(file_fingerprint(file) for file in files)
    assert (apart.path, apart.rows, parts[0].files) == (tmp_path, 3, (parts[0].fingerprint,))


def test_a_fingerprint_changes_with_one_byte(tmp_path: Path) -> None:
    """Files of equal size and name are told apart by what they hold."""
    file = tmp_path / "orders.parquet"
    file.write_bytes(b"a" * (1 << 21))
    before = file_fingerprint(file)
    file.write_bytes(b"a" * ((1 << 21) - 1) + b"b")
    assert file_fingerprint(file) != before


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    """A dictionary is what it holds."""
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_fingerprint_is_the_same_for_ever() -> None:
    """Models trained yesterday are found again today."""
    assert fingerprint("orders", 1) == (
        "06bd979a697b7d437b7623fd0415bac32f653769d90d89f20eddfca52990f8d3"
    )
