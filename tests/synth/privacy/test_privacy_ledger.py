"""The ledger: what was spent adds up, is never forgotten, and is never exceeded."""

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.privacy.accounting import Spending, rho_for, total
from prefect_synth.synth.privacy.ledger import Budget, Charge, Ledger, LedgerError, OverspentError
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.single import GaussianCopulaSynthesizer

BUDGET = Budget(3.0, 1e-5)
NIGHT = Spending(rho_for(1.0, 1e-6), delta=1e-8)


def charge(table="customers", unit="customers", spending=NIGHT, run="", key=""):
    """One training's cost."""
    return Charge(table, unit, "postgresql://db/shop", "copula", spending, run, key)


@pytest.fixture
def ledger(tmp_path):
    """A ledger that allows an epsilon of 3."""
    return Ledger(tmp_path / "state" / "privacy-ledger.json", BUDGET)


def spend_all(ledger):
    """Train until the ledger refuses; how often that was possible."""
    for nights in range(100):
        try:
            ledger.charge([charge()])
        except OverspentError:
            return nights
    raise AssertionError("nothing was ever refused")


def test_trainings_add_up_until_the_budget_is_spent(ledger):
    """As many as the accountant allows, and not one more."""
    nights = spend_all(ledger)
    assert NIGHT.times(nights).epsilon(1e-5) <= 3.0 < NIGHT.times(nights + 1).epsilon(1e-5)
    assert ledger.spent("customers").rho == pytest.approx(NIGHT.rho * nights)
    assert 0 <= ledger.left("customers") < 1


def test_the_refusal_says_all_there_is_to_know(ledger):
    """Table, spent, asked, cap, and what to do; nothing is written."""
    spend_all(ledger)
    before = ledger.path.read_bytes()
    with pytest.raises(OverspentError) as refused:
        ledger.charge([charge()])
    said = str(refused.value)
    for part in ("'customers'", "is spent", "is asked for", "the cap is 3", "Draw with the last"):
        assert part in said
    assert ledger.path.read_bytes() == before


def test_tables_of_one_unit_share_its_budget(ledger):
    """A customer's orders tell of the customer; products are others' affair."""
    nights = spend_all(ledger)
    with pytest.raises(OverspentError):
        ledger.charge([charge("orders", "customers")])
    ledger.charge([charge("products", "products")])
    assert len(ledger.entries()) == nights + 1


def test_all_of_several_charges_are_paid_or_none(ledger):
    """A training whose second half cannot be paid is not begun."""
    half = spend_all(ledger)
    with pytest.raises(OverspentError):
        ledger.charge([charge("products", "products"), charge()])
    assert len(ledger.entries()) == half


def test_a_killed_run_pays_once_and_the_next_run_again(ledger):
    """The same run and the same rows are the same training."""
    for run in ("monday", "monday", "tuesday"):
        ledger.charge([charge(run=run, key="a")])
    ledger.charge([charge(run="tuesday", key="b")])
    assert [(e.run, e.key) for e in ledger.entries()] == [
        ("monday", "a"),
        ("tuesday", "a"),
        ("tuesday", "b"),
    ]


def test_checking_spends_nothing(ledger):
    """It can be asked before anything is begun."""
    ledger.check([charge()])
    assert not ledger.path.exists()
    with pytest.raises(OverspentError):
        ledger.check([charge(spending=NIGHT.times(100))])


def test_entries_say_what_was_spent_by_whom_and_when(ledger):
    """A person can read the file."""
    ledger.charge([charge(run="r1", key="k1")])
    [entry] = json.loads(ledger.path.read_text())["entries"]
    assert entry["rho"] == NIGHT.rho
    assert entry["delta"] == NIGHT.delta
    known = {"table": "customers", "unit": "customers", "mechanism": "copula", "run": "r1"}
    assert known.items() <= entry.items()
    assert entry["source"] == "postgresql://db/shop"
    assert entry["date"].endswith("+00:00")


def test_a_limit_is_kept(ledger):
    """What holds up to an order only does so after it was read again."""
    ledger.charge([charge(spending=Spending(0.01, 22.0))])
    assert ledger.entries()[0].spending == Spending(0.01, 22.0)


@pytest.mark.parametrize("harm", ["less", "gone", "last", "damaged", "later"])
def test_a_ledger_that_was_changed_lets_nothing_be_trained(ledger, harm):
    """Neither an entry made cheaper, nor one taken out, nor half a file goes unnoticed."""
    for _ in range(3):
        ledger.charge([charge()])
    document = json.loads(ledger.path.read_text())
    if harm == "less":
        document["entries"][1]["rho"] /= 2
    if harm == "gone":
        del document["entries"][0]
    if harm == "last":
        del document["entries"][-1]
    if harm == "later":
        document["format"] = 99
    text = json.dumps(document)
    ledger.path.write_text(text[: len(text) // 2] if harm == "damaged" else text)
    with pytest.raises(LedgerError, match="privacy ledger"):
        ledger.charge([charge()])


def test_charges_at_the_same_time_are_all_counted(ledger):
    """The file is locked while it is read and written."""
    small = charge(spending=Spending(1e-6))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Ledger(ledger.path, BUDGET).charge([small]), range(40)))
    assert len(ledger.entries()) == 40
    assert not list(ledger.path.parent.glob("*.part"))


@given(st.lists(st.floats(1e-6, 0.05), max_size=12))
@settings(max_examples=25, deadline=None)
def test_the_budget_is_never_exceeded(tmp_path_factory, rhos):
    """Whatever is asked for, in whatever order."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.json", Budget(1.0, 1e-6))
    paid = []
    for rho in rhos:
        try:
            ledger.charge([charge(spending=Spending(rho))])
            paid.append(Spending(rho))
        except OverspentError:
            pass
    assert total(paid).epsilon(1e-6) <= 1.0 * (1 + 1e-9)
    assert ledger.spent("customers").rho == pytest.approx(total(paid).rho)


def test_a_budget_is_a_budget():
    """Above nothing, and with a ledger."""
    with pytest.raises(RequestError, match="privacy budget"):
        Budget(0.0, 1e-6)
    with pytest.raises(RequestError, match="needs a ledger"):
        DifferentialPrivacy(1.0, budget=BUDGET)


def test_fit_pays_before_it_learns_and_refuses_beyond_the_budget(tmp_path):
    """A synthesizer with a ledger can be fitted as often as the budget allows; drawing is free."""
    metadata = Metadata({"t": Table("t", {"a": Column("a", "numerical")})})
    file = tmp_path / "privacy-ledger.json"
    privacy = DifferentialPrivacy(1.0, 1e-6, ledger=str(file), budget=Budget(1.5, 1e-5))
    table = pa.table({"a": list(range(200))})
    fitted = GaussianCopulaSynthesizer(metadata, privacy=privacy).fit(table)
    for seed in range(3):
        fitted.sample(10, seed=seed)
    again = GaussianCopulaSynthesizer(metadata, privacy=privacy).fit(table)
    with pytest.raises(OverspentError, match="would overspend"):
        again.fit(table)
    entries = Ledger(file).entries()
    assert total(e.spending for e in entries).epsilon(1e-5) <= 1.5
    assert {e.mechanism for e in entries} == {"columns", "copula"}
    fitted.save(tmp_path / "model")
    assert GaussianCopulaSynthesizer.load(tmp_path / "model").sample(5, seed=1).num_rows == 5


def test_the_same_people_have_no_second_account(ledger):
    """A table that gets a parent would be learned from twice, each time as if it were the first."""
    ledger.charge([charge("orders", "orders")])
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerError, match=r"'orders' was learned from with a row of 'orders'"):
        ledger.charge([charge("people", "people"), charge("orders", "people")])
    assert ledger.path.read_bytes() == before


def test_a_delta_that_is_spent_is_called_so(tmp_path):
    """No epsilon would help: the message names the setting that does."""
    ledger = Ledger(tmp_path / "ledger.json", Budget(1e6, 1e-8))
    with pytest.raises(OverspentError, match=r"raise `privacy\.budget_delta`"):
        ledger.charge([charge()])
