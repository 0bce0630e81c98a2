"""Categories from two to very many values cost a row model no more than a thousand pieces."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.encoding.categories import MOST_PIECES, CategoryEncoder, fit_category
from prefect_synth.synth.encoding.layout import RARE, from_uniform
from prefect_synth.synth.storage import load_state, save_state


@pytest.fixture(scope="module")
def codes() -> pa.Array:
    """20,000 postcodes: a few that are common, and a tail that goes on below the limit."""
    rng = np.random.default_rng(0)
    numbers = (rng.pareto(0.5, 200_000) * 40).astype(np.int64) % 20_000
    return pa.array(np.char.mod("%05d", numbers), mask=rng.random(200_000) < 0.1)


@pytest.fixture(scope="module")
def encoder(codes) -> CategoryEncoder:
    """Its encoder."""
    fitted = fit_category(codes)
    assert fitted is not None
    return fitted


def drawn(encoder: CategoryEncoder, rows: int) -> list[str | None]:
    """Values at random places."""
    rng = np.random.default_rng(1)
    return encoder.decode(*from_uniform(encoder.layout, rng.random(rows)), rng).to_pylist()


def test_pieces_are_bounded(encoder):
    """Several thousand values make no more pieces than are allowed, null included."""
    assert len(encoder.values) > 2 * MOST_PIECES
    assert len(encoder.layout.probabilities) <= MOST_PIECES + 1
    assert encoder.layout.probabilities.sum() == pytest.approx(1)


def test_values_of_a_shared_piece_are_drawn_by_share(encoder, codes):
    """Common and less common values come as often as they did, and no rare one comes."""
    real, made = (dict(zip(*np.unique([v or "" for v in c], return_counts=True), strict=True))
                  for c in (codes.to_pylist(), drawn(encoder, len(codes))))  # fmt: skip
    common = sorted(real, key=real.get)[-2000:]
    scale = encoder.covered
    ratio = [made.get(c, 0) * scale / real[c] for c in common if c]
    assert np.mean(ratio) == pytest.approx(1, abs=0.02)
    assert min(real[c] for c in made) >= RARE
    assert len(made) > 0.9 * len(encoder.values)


def test_common_values_come_back(encoder, codes):
    """A value with a piece of its own is encoded exactly; another as one beside it."""
    pieces, places = encoder.encode(codes, np.random.default_rng(0))
    back = encoder.decode(pieces, places, np.random.default_rng(0))
    assert back.is_valid().equals(codes.is_valid())
    heads = set(encoder.values.slice(0, 800).to_pylist())
    pairs = list(zip(codes.to_pylist(), back.to_pylist(), strict=True))
    assert all(b == a for a, b in pairs if a in heads)
    kept = set(encoder.values.to_pylist())
    away = [abs(int(a) - int(b)) for a, b in pairs if a in kept]
    assert np.mean(away) < 200


def test_every_value_is_named_once(encoder):
    """All kept values can be asked for, as a key that runs out of others does."""
    assert len(set(encoder.every_value().to_pylist())) == len(encoder.values)


def test_shared_pieces_are_stored(encoder, tmp_path):
    """A loaded encoder draws the same values."""
    save_state(tmp_path, "e", encoder)
    assert drawn(load_state(tmp_path, "e"), 500) == drawn(encoder, 500)


def test_a_category_of_one_person_is_rare():
    """Fifty rows of one unit are one unit."""
    values, units = pa.array(["mine"] * 50 + ["ours"] * 50 + [None]), np.r_[[0] * 50, 1:52]
    assert fit_category(values, units=units).values.to_pylist() == ["ours"]
