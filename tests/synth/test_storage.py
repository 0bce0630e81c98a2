"""Models on disk: what is written comes back, and what cannot be read says so."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth import storage
from prefect_synth.synth.encoding.layout import Layout
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.storage import (
    StorageError,
    fingerprint_of,
    folder_name,
    load_state,
    save_state,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def test_what_is_written_comes_back(tmp_path):
    """Dataclasses, arrays, Arrow values and schemas, tuples and odd keys keep type and value."""
    value = {
        "layout": Layout(np.array([0.25, 0.75]), np.array([True, False]), True, False),
        "ints": np.arange(5, dtype=np.int32),
        "empty": np.zeros((0, 3)),
        "arrow": pa.array(["a", None, "b"]),
        "nested": pa.array([[1], []]),
        "schema": pa.schema([pa.field("x", pa.uuid(), False, {"comment": "ü"})], {"k": "v"}),
        "tuple": (1, (2.5, None), [True, "x"]),
        ("a", 1): {"$class": "not a class"},
        "inf": float("inf"),
    }
    save_state(tmp_path, "s", value)
    back = load_state(tmp_path, "s")
    assert list(back) == list(value)
    assert np.array_equal(back["layout"].probabilities, value["layout"].probabilities)
    assert back["layout"].ranges.dtype == bool
    assert (back["ints"].dtype, back["empty"].shape) == (np.int32, (0, 3))
    for key in ("arrow", "nested"):
        assert back[key].equals(value[key])
    assert back["schema"].equals(value["schema"], check_metadata=True)
    for key in ("tuple", ("a", 1), "inf"):
        assert back[key] == value[key]
    assert fingerprint_of(back) == fingerprint_of(value)


def test_only_marked_classes_are_written(tmp_path):
    """A class that is not marked is refused when writing."""

    @dataclass
    class Stranger:
        x: int = 1

    with pytest.raises(StorageError, match="Stranger is not marked as stored"):
        save_state(tmp_path, "s", Stranger())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "has format 99; this version reads format 1. Train it again, or upgrade"),
        (
            {"value": {"$class": "Popen", "fields": {}}},
            "holds a 'Popen', which this version does not",
        ),
    ],
)
def test_other_versions_and_classes_are_refused(tmp_path, change, message):
    """A later format and an unknown class are named; nothing of them is built."""
    save_state(tmp_path, "s", {"a": 1})
    path = tmp_path / "s.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(StorageError, match=message):
        load_state(tmp_path, "s")


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_missing_and_damaged_files_are_named(tmp_path, suffix):
    """A cut file and a missing file are said to be so, with their name."""
    save_state(tmp_path, "s", {"a": np.arange(9)})
    path = tmp_path / f"s.{suffix}"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(StorageError, match=rf"s\.{suffix}' is damaged: .*Train it again"):
        load_state(tmp_path, "s")
    path.unlink()
    with pytest.raises(StorageError, match=rf"There is no model at .*: 's\.{suffix}' is missing"):
        load_state(tmp_path, "s")


def test_classes_that_are_stored_are_ours():
    """Every class that a file may name lives in this package."""
    assert {c.__module__.split(".")[1] for c in storage._CLASSES.values()} == {"synth"}


@settings(max_examples=200, deadline=None)
@given(NAMES, NAMES)
def test_folder_names_are_safe_and_their_own(one, two):
    """Any table name is one path element, never `.` or `..`, and no two names share it."""
    assert not set(folder_name(one)) & set("/\\\0:")
    assert not folder_name(one).startswith(".")
    assert (folder_name(one) == folder_name(two)) == (one == two)


@pytest.mark.parametrize("name", ["orders", "public.orders", "order items"])
def test_ordinary_names_stay_readable(name):
    """Ordinary table names are their own folder names."""
    assert folder_name(name) == name


def test_streams_depend_on_their_purpose_only():
    """Equal purposes give equal draws, unequal ones other draws, and parts do not run together."""
    assert stream(1, "a", "b").random() == stream(1, "a", "b").random()
    draws = [stream(*p).random() for p in ((1, "a", "b"), (1, "ab"), (2, "a", "b"), (1, "b", "a"))]
    assert len(set(draws)) == 4


def test_texts_of_a_stored_array_can_be_searched(tmp_path, stored_bytes):
    """What tests look for in a model's bytes is found where an array holds it."""
    save_state(tmp_path, "some", {"values": pa.array(["canary"])})
    assert b"canary" in stored_bytes(tmp_path)
