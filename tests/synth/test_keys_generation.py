"""Generated keys: fresh, unique, and of the form that was seen."""

from __future__ import annotations

import datetime as dt
import re
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.generation.keys import (
    NumberKeys,
    ScatteredKeys,
    UuidKeys,
    fit_keys,
    fit_shared_keys,
)
from prefect_synth.synth.generation.orders import fit_scatter
from prefect_synth.synth.generation.scramble import MOST, permute, unpermute
from prefect_synth.synth.generation.text_keys import EmailKeys, NumberedKeys, TextKeys

some = settings(max_examples=60, deadline=None)
CLASSES = {"digit": "0123456789", "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "hex": "0123456789abcdef"}


@some
@given(
    st.lists(
        st.sampled_from(["digit", "upper", "hex", "-", "/", "X", " "]), min_size=1, max_size=12
    ),
    st.integers(0, 2**31 - 1),
    st.integers(0, 3000),
)
def test_text_keys_are_unique_and_fit_their_template(places, seed, rows):
    """Keys of any template are unique as long as it has room, and every place keeps its class."""
    template = tuple(CLASSES.get(p, p) for p in places)
    room = int(np.prod([float(len(c)) for c in template]))
    count = min(rows, room)
    keys = TextKeys(template, pa.schema([("v", pa.string())])).generate(np.arange(count), seed)
    made = keys.to_pylist()
    assert len(set(made)) == count
    assert all(len(k) == len(template) for k in made)
    assert all(c in t for k in made[:50] for c, t in zip(k, template, strict=True))


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("INV-{:06d}", r"INV-\d{6}"),
        ("{:05x}", r"[0-9a-f]{5}"),
        ("A{:03d}/B", r"A\d{3}/B"),
        ("ä{:04d}", r"ä\d{4}"),
    ],
)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_the_form_of_text_keys_is_learned(form, pattern, kind):
    """Constant places stay, others keep their class of characters."""
    values = pa.array([form.format(i * 7919 % 1000) for i in range(600)], kind)
    keys = fit_keys(values).generate(np.arange(600), 5)
    assert keys.type == kind
    assert all(re.fullmatch(pattern, k) for k in keys.to_pylist())
    assert len(set(keys.to_pylist())) == 600


def test_the_form_of_a_few_keys_does_not_tell_them():
    """Where one key was seen, its letters and digits are not constants of the form."""
    made = fit_keys(pa.array(["AB-77120"])).generate(np.arange(20), 1).to_pylist()
    assert all(re.fullmatch(r"[A-Z]{2}-\d{5}", k) for k in made)
    assert "AB-77120" not in made


def test_more_keys_than_the_form_has_room_for():
    """A form that is too short grows by digits rather than repeat a key."""
    keys = fit_keys(pa.array([f"K{i}" for i in range(10)])).generate(np.arange(500), 0)
    assert len(set(keys.to_pylist())) == 500


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@pytest.mark.parametrize("sign", ["", "u"])
def test_integer_keys_fit_their_type(bits, sign):
    """Keys are above the real ones where they fit, and reuse low numbers where they do not."""
    kind = getattr(pa, f"{sign}int{bits}")()
    top = min(int(np.iinfo(kind.to_pandas_dtype()).max), 2**53)
    for largest, fresh in ((100, bits > 8 or sign == "u"), (top, False)):
        keys = fit_keys(pa.array(range(largest - 99, largest + 1), kind))
        made = keys.generate(np.arange(100), 0)
        assert made.type == kind
        assert len(set(made.to_pylist())) == 100
        assert (min(made.to_pylist()) > largest) == fresh


@pytest.mark.parametrize(
    ("kind", "room"), [(pa.int8(), 127), (pa.uint8(), 255), (pa.int16(), 32767)]
)
def test_integer_keys_never_overflow(kind, room):
    """As many keys as the type has positive numbers can be made, and one more is an error."""
    keys = fit_keys(pa.array([1, 2, 3], kind))
    assert len(set(keys.generate(np.arange(room), 0).to_pylist())) == room
    with pytest.raises(OverflowError, match=f"cannot hold {room + 1} keys"):
        keys.generate(np.arange(room + 1), 0)


def test_number_keys_do_not_tell_the_largest_real_one():
    """The first key is a round number above all real ones."""
    assert fit_keys(pa.array([3, 8_124])).generate(np.arange(2), 0).to_pylist() == [10001, 10002]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([dt.date(2020, 1, 1) + dt.timedelta(i) for i in range(40)]),
        pa.array([dt.datetime(2020, 1, 1) + dt.timedelta(hours=i) for i in range(40)]),
        pa.array([dt.time(8, i) for i in range(40)], pa.time32("s")),
        pa.array([f"{i}.00" for i in range(40)]).cast(pa.decimal128(10, 2)),
        pa.array([float(i) for i in range(40)]),
    ],
)
def test_keys_of_other_types(values):
    """Dates, times, decimals and floats can be keys."""
    made = fit_keys(values).generate(np.arange(60), 0)
    assert made.type == values.type
    made.validate(full=True)
    assert len(set(made.to_pylist())) == 60


def test_a_day_has_so_many_seconds():
    """Time keys stop at midnight instead of repeating."""
    keys = fit_keys(pa.array([dt.time(0, 0, s) for s in range(40)], pa.time32("s")))
    with pytest.raises(OverflowError, match=r"time32\[s\] cannot hold 90000 keys"):
        keys.generate(np.arange(90_000), 0)


@pytest.mark.parametrize("kind", [pa.uuid(), pa.string(), pa.large_string(), pa.binary(16)])
def test_uuids_are_version_4(kind):
    """UUIDs are unique and valid, as Arrow's type, as text and as 16 bytes."""
    real = [uuid.UUID(int=i**15, version=4) for i in range(30)]
    storage = pa.array([u.bytes for u in real], pa.binary(16))
    values = {
        pa.uuid(): lambda: pa.ExtensionArray.from_storage(pa.uuid(), storage),
        pa.binary(16): lambda: storage,
    }.get(kind, lambda: pa.array([str(u) for u in real], kind))()
    made = fit_keys(values).generate(np.arange(5000), 7)
    assert made.type == kind
    plain = made.to_pylist()
    parsed = [
        v
        if isinstance(v, uuid.UUID)
        else uuid.UUID(bytes=v)
        if isinstance(v, bytes)
        else uuid.UUID(v)
        for v in plain
    ]
    assert len(set(parsed)) == 5000
    assert {(u.version, u.variant) for u in parsed} == {(4, uuid.RFC_4122)}
    assert not set(parsed) & set(real)


@some
@given(st.integers(0, 2**31 - 1), st.integers(1, 2000), st.integers(0, 2000))
def test_any_part_of_a_table_can_be_made_alone(seed, rows, start):
    """The key of a row depends on its number and the seed only."""
    start = min(start, rows)
    for keys in (
        fit_keys(pa.array([f"N{i:05d}" for i in range(50)])),
        UuidKeys(pa.schema([("v", pa.string())])),
        fit_keys(pa.array(range(5))),
        fit_keys(pa.array([f"{i}@corp.example" for i in range(50)])),
        NumberedKeys("N", 2, 10, pa.schema([("v", pa.string())])),
    ):
        whole = keys.generate(np.arange(rows), seed)
        assert keys.generate(np.arange(start, rows), seed).equals(whole.slice(start))


@pytest.mark.parametrize("values", [pa.array([True, False]), pa.array([[1]]), pa.array([b"x"])])
def test_types_that_are_no_keys(values):
    """A boolean, a list and bytes cannot be made as keys, and the type is named."""
    with pytest.raises(TypeError, match=f"keys of type {re.escape(str(values.type))} cannot"):
        fit_keys(values)


@pytest.mark.parametrize("kind", [pa.int32(), pa.string(), pa.date32(), pa.uuid()])
def test_keys_of_an_empty_table(kind):
    """An empty key column has a form to make nothing by."""
    keys = fit_keys(pa.nulls(0, kind))
    assert isinstance(keys, NumberKeys | TextKeys | UuidKeys)
    assert len(keys.generate(np.arange(0), 0)) == 0


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("form", ["P{:07d}", "{:06d}", "ORD-2024-{:05d}"])
def test_dense_text_keys_are_numbered_above_the_real_ones(form, kind):
    """Of 9,000 dense keys none comes back, and the form is the real one's."""
    real = [form.format(i) for i in range(9000)]
    keys = fit_keys(pa.array(real, kind))
    made = keys.generate(np.arange(9000), 3)
    assert made.type == kind
    assert set(pc.utf8_length(made).to_pylist()) == {len(real[0])}
    assert len(set(made.to_pylist()) - set(real)) == 9000
    assert made[0].as_py() == form.format(10_000)


def test_text_keys_without_room_above_keep_their_template():
    """Where the largest number fills the places, keys are drawn by template as before."""
    assert isinstance(fit_keys(pa.array([f"P{i}" for i in range(1000, 9000)])), TextKeys)
    assert isinstance(fit_keys(pa.array([f"P{i:04d}-A" for i in range(900)])), TextKeys)


def test_numbered_keys_stay_unique_beyond_their_room():
    """Low numbers follow the last one, and then longer ones."""
    keys = NumberedKeys("N", 2, 10, pa.schema([("v", pa.string())]))
    made = keys.generate(np.arange(500), 0).to_pylist()
    assert len(set(made)) == 500
    assert made[89:92] + made[99:101] == ["N99", "N00", "N01", "N09", "N100"]


@pytest.mark.parametrize("longest", [None, 40, 18])
def test_addresses_as_keys_reach_nobody(longest):
    """Keys that are e-mail addresses become unique ones in reserved domains, as long as allowed."""
    real = pa.array([f"ann.{i}@corp.example" for i in range(300)])
    made = fit_keys(real, longest).generate(np.arange(5000), 9).to_pylist()
    assert len(set(made)) == 5000
    assert all(re.fullmatch(r"[a-z0-9.]+@example\.(com|org|net)", m) for m in made)
    assert max(map(len, made)) <= (longest or 99)


def test_addresses_need_room():
    """A column that is too narrow for a reserved domain is refused, not cut."""
    keys = EmailKeys(12, pa.schema([("v", pa.string())]))
    with pytest.raises(OverflowError, match="12 characters cannot hold 10 addresses"):
        keys.generate(np.arange(10), 0)


def test_real_keys_may_be_larger_than_any_made():
    """Keys beyond 2^63, or of more digits than numbers are made of, have a form like any other."""
    for real in (pa.array([2**64 - 1], pa.uint64()), pa.array(["9" * 30]).cast(pa.decimal128(30))):
        assert fit_keys(real).generate(np.arange(2), 0).cast(pa.int64()).to_pylist() == [1, 2]


@some
@given(st.integers(1, 3000), st.integers(0, 2**63 - 1))
def test_rows_are_permuted_in_any_domain(modulus, seed):
    """The keyed permutation is a bijection of any modulus, and so is its inverse."""
    rows = np.arange(modulus)
    made = permute(rows, modulus, seed)
    assert np.sort(made).tolist() == rows.tolist()
    assert unpermute(made, modulus, seed).tolist() == rows.tolist()


@some
@given(st.integers(1, MOST), st.integers(0, 2**31), st.randoms(use_true_random=False))
def test_rows_are_permuted_in_large_domains(modulus, seed, random):
    """Up to 2^62 numbers are permuted within their domain, and back."""
    rows = np.array([random.randrange(modulus) for _ in range(20)])
    made = permute(rows, modulus, seed)
    assert (made >= 0).all()
    assert (made < modulus).all()
    assert unpermute(made, modulus, seed).tolist() == rows.tolist()


@some
@given(st.integers(1, 2000), st.floats(0, 1), st.integers(0, 2**31))
def test_what_real_keys_use_is_given_out_last(size, share, seed):
    """The whole domain is given out, each number once; free parts come before marked ones."""
    used = np.random.default_rng(seed).permutation(size)[: round(share * size)]
    order = fit_scatter(used, size)
    made = order.numbers(np.arange(size), seed)
    assert np.sort(made).tolist() == list(range(size))
    free = int((~order.marked).sum()) * order.width
    assert not set(made[:free].tolist()) & set(used.tolist())


REAL = np.random.default_rng(4)


@pytest.mark.parametrize(
    ("real", "form"),
    [
        (REAL.choice(10**9, 3000, replace=False) + 10**9, r"\d{10}"),
        (REAL.choice(10**15, 3000, replace=False) + 18 * 10**17, r"\d{19}"),
        ([f"{i:08x}" for i in REAL.choice(2**32, 3000, replace=False)], r"[0-9a-f]{8}"),
        ([f"AB-{i:05d}-X" for i in REAL.choice(10**5, 3000, replace=False)], r"AB-\d{5}-X"),
        ([f"P{i:04d}-A" for i in range(900)], r"P\d{4}-A"),
        ([f"C{i}" for i in range(1500)], r"C\d{5}"),
        ([str(uuid.UUID(int=i**9, version=4)).upper() for i in range(300)], r"[0-9A-F-]{36}"),
        (np.arange(1, 2000), r"\d{5}"),
    ],
)
def test_no_real_key_comes_back(real, form):
    """Where the form has room, as many fresh keys of the same form as real ones are all new."""
    made = fit_keys(pa.array(real)).generate(np.arange(len(real)), 3).to_pylist()
    assert len(set(made)) == len(real)
    assert not set(made) & set(pa.array(real).to_pylist())
    assert all(re.fullmatch(form, str(m)) for m in made)


def test_what_is_stored_of_keys_tells_none():
    """Of a scattered column half of the domain is marked: a mark is no evidence of a key."""
    real = REAL.choice(10**7, 5000, replace=False)
    keys = fit_keys(pa.array(real))
    assert isinstance(keys, ScatteredKeys)
    assert keys.order.marked.mean() == pytest.approx(0.5, abs=0.02)
    assert keys.order.width > 1000


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.decimal128(19, 0)])
def test_stable_keys_outlive_a_digit(kind):
    """When the real keys grow by a digit, stable keys stay."""
    few, many = (
        fit_keys(pa.array(range(1, n)).cast(kind), stable=True).generate(np.arange(9), 0)
        for n in (900, 20_000)
    )
    assert few.equals(many)


def test_keys_stay_within_their_column():
    """A column that is too narrow for one more digit is refused, not widened."""
    keys = fit_keys(pa.array([f"{i:02d}-X" for i in range(90)]), 4)
    assert len(set(keys.generate(np.arange(100), 0).to_pylist())) == 100
    with pytest.raises(OverflowError, match="4 characters cannot hold 101 keys"):
        keys.generate(np.arange(101), 0)


def test_shared_keys_of_blocks_differ():
    """Rows of one block share keys among themselves only, whoever makes the blocks."""
    shared = fit_shared_keys(pa.array([f"S{i % 40:03d}" for i in range(100)]))
    first, second = (
        set(shared.generate(50, np.random.default_rng(at), at, 9).to_pylist()) for at in (0, 50)
    )
    assert (len(first), len(second), first & second) == (20, 20, set())
