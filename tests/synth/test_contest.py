"""The contest that `auto` can hold between row models."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.encoding.columns import fit_category, fit_number
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.inference import infer_metadata
from prefect_synth.synth.row_models import contest as module
from prefect_synth.synth.row_models.contest import Entry, _choose, hold_contest

ROWS = 2400
EFFORT = Effort(epochs=4, contest=True)


def encoded(*columns):
    """Columns of numbers or texts, encoded."""
    parts = []
    for values in columns:
        array = pa.array(values)
        encoder = fit_category(array) if pa.types.is_string(array.type) else fit_number(array)
        pieces, places = encoder.encode(array, np.random.default_rng(0))
        parts.append(Encoded(pieces[:, None], places[:, None], (encoder.layout,)))
    return Encoded.beside(parts, len(columns[0]))


@pytest.fixture(scope="module")
def exclusive():
    """Four columns; the third is decided by the first two together, which no copula can see."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, ROWS))
    texts = [np.array(["no", "yes"])[v] for v in (a, b, a ^ b)]
    return encoded(*texts, rng.normal(size=ROWS) + 3 * (a ^ b))


def test_the_model_that_sees_the_rule_wins(exclusive):
    """Trees or the network draw it; the copula and columns alone are told at once."""
    nothing = Encoded.empty(ROWS)
    names = ("independent", "copula", "trees", "argn")
    choice, entries = hold_contest(
        exclusive, nothing, EFFORT, None, np.random.default_rng(1), names
    )
    auc = {e.name: e.auc for e in entries}
    assert choice.row_model in {"trees", "argn"}
    assert auc["independent"] > 0.7 > auc[choice.row_model] + 0.1
    assert choice.reason.startswith(f"{choice.row_model} won a contest on 1,")


def test_the_contest_repeats(exclusive):
    """Same rows and seed: the same figures."""
    nothing = Encoded.empty(ROWS)
    first, again = (
        hold_contest(exclusive, nothing, EFFORT, None, np.random.default_rng(1), ("copula",))
        for _ in range(2)
    )
    assert (first[0], first[1][0].auc) == (again[0], again[1][0].auc)


def test_contexts_are_compared_too():
    """A model that draws each column rightly, but not for its context, is told."""
    rng = np.random.default_rng(2)
    parent = np.repeat(rng.normal(size=300), 4)
    rows, context = encoded(parent + 0.1 * rng.normal(size=1200)), encoded(parent)
    _, entries = hold_contest(rows, context, EFFORT, None, rng, ("independent", "copula"))
    alone, told = entries
    assert alone.auc > 0.75 > told.auc


@pytest.mark.parametrize(
    ("budget", "copies", "winner"),
    [(None, False, "trees"), (5.0, False, "copula"), (None, True, "copula")],
)
def test_neither_slow_nor_copying_models_win(budget, copies, winner):
    """Who copies is out, and who would take too long for the whole table."""
    entries = [
        Entry("copula", 0.9, 0.5, 0.02, 1.0),
        Entry("trees", 0.6, 0.6 if copies else 0.5, 0.02, 3.0),
        Entry("argn", 0.605, 0.6 if copies else 0.5, 0.02, 9.0),
    ]
    choice = _choose(entries, 2.0, budget, 900)
    assert choice.row_model == winner
    assert "argn 0.605" in choice.reason


def test_a_model_that_copies_is_found():
    """In contexts too, where a row is nearest to rows of its own context anyway."""
    rng = np.random.default_rng(4)
    rows = encoded(*rng.normal(size=(4, 1200)))
    for context in (Encoded.empty(1200), encoded(np.repeat(rng.normal(size=300), 4))):
        learned, judged = module._parts(context, rng)
        judge = module._Judge(rows.take(learned), rows.take(judged), context.take(judged), 0)
        copied = rows.take(rng.choice(learned, len(judged)))
        fresh = encoded(*rng.normal(size=(4, len(judged))))
        assert judge.of("copier", copied, copied, 1.0).copies
        assert not judge.of("honest", fresh, fresh, 1.0).copies


def test_ties_go_to_the_first():
    """A hair's breadth is chance: the quicker model is taken."""
    entries = [Entry("trees", 0.55, 0.5, 0.02, 3.0), Entry("argn", 0.545, 0.5, 0.02, 9.0)]
    assert _choose(entries, 2.0, None, 900).row_model == "trees"


def test_auto_holds_it_where_it_is_asked_to(monkeypatch):
    """Table by table; the reason says how it went, and small tables are spared."""
    monkeypatch.setattr(module, "CANDIDATES", ("copula", "trees"))
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 2, (2, 1500))
    tables = {
        "shops": pa.table({"id": range(40), "size": rng.normal(size=40)}),
        "sales": pa.table(
            {
                "id": range(1500),
                "shop_id": rng.integers(0, 40, 1500),
                "a": a.astype(bool),
                "b": b.astype(bool),
                "c": (a ^ b).astype(bool),
            }
        ),
    }
    model = HMASynthesizer(infer_metadata(tables), effort=Effort(contest=True), rules="none")
    choices = {name: part.choice for name, part in model.fit(tables).parts_.items()}
    assert choices["sales"].row_model == "trees"
    assert "won a contest" in choices["sales"].reason
    assert choices["shops"].reason.startswith("Of 40 rows")
