"""Folder names of tables: safe everywhere, different, and reversible."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.naming import checked_name, folder_names, table_name

NAMES = st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15))


@given(NAMES)
def test_every_name_comes_back_from_its_folder(names):
    """Nothing is lost on the way into a folder name."""
    assert {table_name(folder) for folder in folder_names(names).values()} == names


@given(NAMES)
def test_folders_differ_even_where_letter_case_does_not_count(names):
    """Two tables never share a folder, on a Mac neither."""
    folders = folder_names(names, taken=["report.html", "a"])
    taken = {"report.html", "a", "manifest.json"}
    assert len({folder.casefold() for folder in folders.values()} - taken) == len(names)


@given(NAMES)
def test_folders_consist_of_safe_characters(names):
    """No folder is hidden, a partition, a pattern or a path."""
    safe = re.compile(r"[A-Za-z0-9!][A-Za-z0-9!._-]*")
    assert all(safe.fullmatch(folder) for folder in folder_names(names).values())


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a b", "x" * 151, "run\n"])
def test_a_run_id_that_cannot_name_a_file_is_refused(name):
    """The message shows the name found and what is allowed."""
    with pytest.raises(SandboxError, match="cannot name a file in the sandbox: use 1 to 150"):
        checked_name("Run", name)


def test_a_table_without_a_name_is_refused():
    """There is no folder for nothing."""
    with pytest.raises(SandboxError, match="A table without a name"):
        folder_names([""])
