"""Tables that are learned with noise: what is kept, what is refused, and what noise hides."""

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.privacy.accounting import Spending, rho_for
from prefect_synth.synth.privacy.noise import Noise
from prefect_synth.synth.privacy.planning import table_costs
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.single import (
    GaussianCopulaSynthesizer,
    TreesSynthesizer,
)

ROWS = 4000
MUCH = DifferentialPrivacy(5.0, noise_seed=1)


def people(rows=ROWS, seed=0):
    """Rows in which everything has to do with everything."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, rows)
    age = np.clip(np.rint(rng.normal(30 + 15 * kind, 8)), 0, 110).astype(np.int64)
    spent = np.where(rng.random(rows) < 0.5, 0.0, np.exp(rng.normal(3 + kind, 0.5)))
    return pa.table(
        {
            "id": np.arange(rows),
            "kind": np.array(["basic", "plus", "gold"])[kind],
            "age": pa.array(age, mask=rng.random(rows) < 0.1),
            "spent": spent,
            "joined": pa.array(18_000 + age * 10, pa.int32()).cast(pa.date32()),
            "vip": kind == 2,
            "email": [f"real{i}@canary.example" for i in range(rows)],
        }
    )


def described(name="people"):
    """What everybody knows of them."""
    columns = {
        "id": Column("id", "id", nullable=False),
        "kind": Column("kind"),
        "age": Column("age", "numerical"),
        "spent": Column("spent", "numerical", nullable=False),
        "joined": Column("joined", "datetime", nullable=False),
        "vip": Column("vip", "boolean", nullable=False),
        "email": Column("email", "email"),
    }
    return Table(name, columns, ("id",))


@pytest.fixture(scope="module")
def metadata():
    """The schema of one table."""
    return Metadata({"people": described()})


@pytest.fixture(scope="module")
def fitted(metadata):
    """A copula that was learned with noise."""
    return GaussianCopulaSynthesizer(metadata, privacy=MUCH).fit(people())


@pytest.fixture(scope="module")
def drawn(fitted):
    """Rows that it draws."""
    return fitted.sample(ROWS, seed=1)


def test_rows_have_the_schema_and_no_real_email(drawn):
    """The types are those of the table; personal values are made up."""
    assert drawn.schema.equals(people().schema)
    assert not set(drawn["email"].to_pylist()) & set(people()["email"].to_pylist())
    assert drawn["id"].to_pylist() != people()["id"].to_pylist()


def test_marginals_are_near_those_of_the_rows(drawn):
    """Shares, means and nulls survive the noise."""
    real, made = people().to_pandas(), drawn.to_pandas()
    shares = real["kind"].value_counts(normalize=True)
    assert made["kind"].value_counts(normalize=True)[shares.index].to_numpy() == pytest.approx(
        shares.to_numpy(), abs=0.05
    )
    assert made["age"].mean() == pytest.approx(real["age"].mean(), abs=3)
    assert made["age"].isna().mean() == pytest.approx(0.1, abs=0.05)
    assert (made["spent"] == 0).mean() == pytest.approx((real["spent"] == 0).mean(), abs=0.05)


def test_what_columns_have_to_do_with_each_other_is_kept(drawn):
    """A nominal column and numbers, and two numbers."""
    real, made = people().to_pandas(), drawn.to_pandas()
    means = real.groupby("kind")["age"].mean().sort_values()
    assert list(made.groupby("kind")["age"].mean().sort_values().index) == list(means.index)
    assert (
        made["vip"][made["kind"] == "gold"].mean()
        > 0.5
        > 2 * made["vip"][made["kind"] == "basic"].mean()
    )
    days = made["joined"].astype("datetime64[s]").astype("int64")
    assert days.corr(made["age"]) > 0.4


def test_all_that_was_planned_was_spent_and_no_more(metadata, fitted):
    """The costs of a table come to the epsilon that was asked for."""
    costs = table_costs(metadata, fitted._fitting("people"))
    assert costs["people"].whole.epsilon(MUCH.delta) == pytest.approx(5.0, rel=0.05)
    assert fitted.part_.rows != ROWS


def test_noise_that_nobody_knows_differs_from_training_to_training(metadata):
    """The seed of a project decides nothing of the noise."""
    privacy = DifferentialPrivacy(1.0)
    first, second = (
        GaussianCopulaSynthesizer(metadata, privacy=privacy).fit(people(500)).part_
        for _ in range(2)
    )
    assert not np.array_equal(first.row_model.correlation, second.row_model.correlation)


def test_a_noise_seed_gives_the_same_model(metadata, drawn):
    """For tests there is a seed."""
    again = GaussianCopulaSynthesizer(metadata, privacy=MUCH).fit(people())
    assert again.sample(ROWS, seed=1).equals(drawn)


def test_saved_models_draw_the_same(tmp_path, fitted, drawn):
    """A model is stored with its privacy."""
    fitted.save(tmp_path)
    loaded = GaussianCopulaSynthesizer.load(tmp_path)
    assert loaded.sample(ROWS, seed=1).equals(drawn)
    assert loaded.privacy == fitted.privacy


def test_a_value_of_one_unit_is_not_published(metadata):
    """A category, and a number, that one row has turn up nowhere."""
    rows = people().to_pandas()
    rows.loc[17, "kind"], rows.loc[17, "spent"] = "canary", 123456789.125
    table = pa.Table.from_pandas(rows, people().schema, preserve_index=False)
    privacy = DifferentialPrivacy(5.0, noise_seed=3)
    made = GaussianCopulaSynthesizer(metadata, privacy=privacy).fit(table).sample(20_000)
    assert "canary" not in made["kind"].to_pylist()
    assert 123456789.125 not in made["spent"].to_pylist()


def test_declared_bounds_and_categories_are_used_as_they_are(metadata):
    """Values that no row has may come, and none beyond the bounds."""
    known = DifferentialPrivacy(
        0.2,
        bounds={"age": (0, 120), "spent": (0, 1000), "joined": ("2015-01-01", "2024-12-31")},
        categories={"kind": ("basic", "gold", "plus", "platinum")},
        noise_seed=1,
    )
    fitted = GaussianCopulaSynthesizer(metadata, privacy=known).fit(people())
    made = fitted.sample(2000).to_pandas()
    assert fitted.part_.codec.encoders["kind"].values.to_pylist() == sorted(
        ("basic", "gold", "plus", "platinum")
    )
    assert made["age"].dropna().between(0, 120).all()
    assert made["spent"].between(0, 1000).all()
    assert str(made["joined"].min()) >= "2015-01-01"


def test_noise_refuses_to_spend_more_than_was_planned():
    """No mechanism can go beyond the budget of its table."""
    noise = Noise(Spending(rho_for(1.0, 1e-6)))
    noise.gaussian(np.zeros(3), 1.0, noise.budget.rho)
    with pytest.raises(SynthesisError, match="More privacy would be spent"):
        noise.gaussian(np.zeros(3), 1.0, 1e-3)


def test_noise_is_as_wide_as_it_must_be():
    """Its deviation is the sensitivity over the root of twice the rho, on a grid."""
    noise = Noise(Spending(0.5), seed=1)
    drawn = noise.gaussian(np.zeros(20_000), 3.0, 0.5)
    assert drawn.std() == pytest.approx(3.0, rel=0.03)
    assert np.array_equal(drawn * 2**9, np.rint(drawn * 2**9))


def test_columns_can_be_drawn_alone(metadata):
    """Then nothing is spent on what they have to do with each other."""
    table = {"people": people(800)}
    model = HMASynthesizer(metadata, row_model="independent", privacy=MUCH)
    made = model.fit(table).sample(seed=1)["people"].to_pandas()
    costs = table_costs(metadata, model.settings)["people"]
    assert (costs.model, costs.whole) == (Spending(), costs.marginals)
    assert made.groupby("kind")["vip"].mean().between(0.1, 0.7).all()
    assert model.parts_["people"].choice.reason == (
        "independent, (epsilon 5, delta 1e-06)-differentially private towards a row of 'people' "
        "and all below it."
    )


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda m: TreesSynthesizer(m, privacy=MUCH), "'trees' cannot be trained"),
        (lambda m: GaussianCopulaSynthesizer(privacy=MUCH), "the metadata must be given"),
        (lambda m: GaussianCopulaSynthesizer(m, rules=["age >= 0"], privacy=MUCH), "Rules are"),
        (
            lambda m: GaussianCopulaSynthesizer(m, default_marginal="norm", privacy=MUCH),
            "Parametric marginals",
        ),
        (
            lambda m: GaussianCopulaSynthesizer(
                m, privacy=DifferentialPrivacy(1.0, bounds={"size": (1, 2)})
            ),
            "'size', but there is no such column",
        ),
        (lambda m: DifferentialPrivacy(0.0), "epsilon must be above 0"),
        (lambda m: DifferentialPrivacy(1.0, 1.0), "delta must be above 0"),
        (lambda m: DifferentialPrivacy(1.0, bounds={"age": (9, 1)}), "the smaller one first"),
    ],
)
def test_what_cannot_be_had_is_refused(metadata, made, said):
    """With a sentence that says what to do, before any row is seen."""
    with pytest.raises(SynthesisError, match=said):
        made(metadata)


@pytest.fixture(scope="module")
def shop():
    """Customers, their orders, the items of these, and a public table of countries."""
    rng = np.random.default_rng(5)
    customers = people(2000)
    gold = np.asarray(customers["kind"]) == "gold"
    counts = rng.poisson(np.where(gold, 3, 1))
    counts[7] = 500
    owner = np.repeat(np.arange(2000), counts)
    orders = pa.table(
        {
            "id": np.arange(len(owner)),
            "customer_id": owner,
            "country": np.array(["de", "fr"])[rng.integers(0, 2, len(owner))],
            "amount": np.where(gold[owner], 200, 20) + rng.integers(0, 20, len(owner)),
        }
    )
    items = pa.table(
        {
            "order_id": np.repeat(np.arange(len(owner)), 2),
            "line": np.tile([1, 2], len(owner)),
        }
    )
    countries = pa.table({"code": ["de", "fr"]})
    return {"people": customers, "orders": orders, "items": items, "countries": countries}


@pytest.fixture(scope="module")
def schema():
    """Their schema."""
    whole = {"nullable": False}
    orders = {
        "id": Column("id", "id", **whole),
        "customer_id": Column("customer_id", "id", **whole),
        "country": Column("country", "id", **whole),
        "amount": Column("amount", "numerical", **whole),
    }
    items = {
        "order_id": Column("order_id", "id", **whole),
        "line": Column("line", "numerical", **whole),
    }
    return Metadata(
        {
            "people": described(),
            "orders": Table("orders", orders, ("id",)),
            "items": Table("items", items, ("order_id", "line")),
            "countries": Table("countries", {"code": Column("code", "id", **whole)}, ("code",)),
        },
        (
            Relationship("orders", ("customer_id",), "people", ("id",)),
            Relationship("orders", ("country",), "countries", ("code",)),
            Relationship("items", ("order_id",), "orders", ("id",)),
        ),
    )


@pytest.fixture(scope="module")
def relational(schema, shop):
    """A hierarchy that was learned with noise."""
    privacy = DifferentialPrivacy(20.0, rows_per_unit=8, noise_seed=2)
    model = HMASynthesizer(schema, keep=["countries"], unit="people", privacy=privacy)
    return model.fit(shop)


def test_families_are_kept(relational):
    """Keys resolve, and what a parent is like tells of its children."""
    made = {name: table.to_pandas() for name, table in relational.sample(seed=1).items()}
    orders = made["orders"].merge(made["people"], left_on="customer_id", right_on="id")
    assert len(orders) == len(made["orders"])
    assert set(made["orders"]["country"]) == {"de", "fr"}
    assert set(made["items"]["order_id"]) <= set(made["orders"]["id"])
    assert not made["items"].duplicated().any()
    means = orders.groupby("kind")["amount"].mean()
    assert means["gold"] > means["basic"] + 50
    counts = orders.groupby("kind").size() / made["people"].groupby("kind").size()
    assert counts["gold"] > 1.3 * counts["basic"]


def test_all_tables_of_a_unit_come_to_the_epsilon_asked(relational, schema):
    """A person's rows are in all of them, so their costs add up."""
    costs = table_costs(schema, relational.settings)
    assert set(costs) == {"people", "orders", "items"}
    assert {c.unit for c in costs.values()} == {"people"}
    together = sum((c.whole for c in costs.values()), Spending())
    assert together.epsilon(1e-6) == pytest.approx(20.0, rel=0.05)


def test_no_unit_is_learned_from_by_more_rows_than_its_cap(relational, schema, shop):
    """Of a person with 500 orders 8 count, and items of those alone."""
    linked = relational.extend(shop)
    units = {name: linked.tables[name].units for name in ("people", "orders", "items")}
    assert np.bincount(units["people"]).max() == 1
    assert np.bincount(units["orders"][units["orders"] >= 0]).max() == 8
    kept = np.flatnonzero(units["orders"] >= 0)
    owners = np.asarray(shop["items"]["order_id"])[units["items"] >= 0]
    assert np.isin(owners, kept).all()


def test_a_unit_more_or_less_changes_no_other(schema, shop, relational):
    """Which rows of a person count depends on the person's rows alone."""
    linked = relational.extend(shop)
    left = {
        **shop,
        "people": shop["people"].slice(1),
        "orders": shop["orders"].filter(pa.array(np.asarray(shop["orders"]["customer_id"]) != 0)),
    }
    gone = np.asarray(shop["orders"]["id"])[np.asarray(shop["orders"]["customer_id"]) == 0]
    left["items"] = shop["items"].filter(
        pa.array(~np.isin(np.asarray(shop["items"]["order_id"]), gone))
    )
    without = relational.extend(left)
    for name in ("orders", "items"):
        all_ = linked.tables[name].units
        stay = all_ != 0
        if name == "items":
            stay = ~np.isin(np.asarray(shop["items"]["order_id"]), gone)
        else:
            stay = np.asarray(shop["orders"]["customer_id"]) != 0
        counted = without.tables[name].units >= 0
        assert np.array_equal(all_[stay] >= 0, counted)


def test_rows_that_belong_to_several_units_are_refused(schema):
    """A table below two generated ones."""
    with pytest.raises(SynthesisError, match="hangs on several generated tables"):
        HMASynthesizer(schema, privacy=MUCH)


def test_a_unit_that_hangs_on_another_is_refused(schema):
    """The unit is at the top."""
    with pytest.raises(SynthesisError, match="With differential privacy it is 'people'"):
        HMASynthesizer(schema, keep=["countries"], unit="orders", privacy=MUCH)


def every_type(rows=300):
    """A column of each kind of type, with nulls."""
    rng = np.random.default_rng(2)
    numbers = rng.integers(0, 50, rows)
    gone = rng.random(rows) < 0.2
    days = pa.array(numbers + 19_000, pa.int32())
    texts = [f"text of row {n}" for n in numbers]
    return {
        "small": pa.array(numbers, pa.uint8(), mask=gone),
        "real": pa.array(rng.normal(size=rows), mask=gone),
        "price": pa.array(numbers.astype(np.int32), mask=gone).cast(pa.decimal128(14, 2)),
        "day": pa.array(days, mask=gone).cast(pa.date32()),
        "moment": pa.array(numbers * 10**9 + 1_700_000_000_000_000, mask=gone).cast(
            pa.timestamp("us", "UTC")
        ),
        "clock": pa.array(numbers * 60, pa.int32(), mask=gone).cast(pa.time32("s")),
        "choice": pa.array(np.array(["x", "y"])[numbers % 2], mask=gone).dictionary_encode(),
        "flag": pa.array(numbers % 2 == 0, mask=gone),
        "words": pa.array(texts, mask=gone),
        "blob": pa.array([t.encode() for t in texts], mask=gone),
        "items": pa.array([[int(n)] for n in numbers], mask=gone),
        "nothing": pa.nulls(rows, pa.string()),
        "written": pa.array([f"2024-01-{n % 28 + 1:02d}" for n in numbers], mask=gone),
        "code": pa.array([f"AB-{n:04d}" for n in range(rows)]),
    }


def test_every_type_can_be_learned():
    """What cannot be learned is made up; the schema stays, and nothing rare comes out."""
    meanings = dict.fromkeys(("small", "real", "price"), "numerical")
    meanings |= dict.fromkeys(("day", "moment", "clock", "written"), "datetime")
    meanings |= {"words": "text", "flag": "boolean", "code": "id"}
    columns = {
        name: Column(
            name,
            meanings.get(name, "categorical"),
            nullable=name != "code",
            datetime_format="%Y-%m-%d" if name == "written" else None,
        )
        for name in every_type()
    }
    metadata = Metadata({"t": Table("t", columns, ("code",))})
    table = pa.table(every_type())
    made = GaussianCopulaSynthesizer(metadata, privacy=MUCH).fit(table).sample(400, seed=3)
    assert made.schema.equals(table.schema)
    assert len(set(made["code"].to_pylist())) == 400
    for secret in ("words", "blob", "code"):
        assert not set(made[secret].drop_null().to_pylist()) & set(table[secret].to_pylist())


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        (pa.timestamp("us", "Europe/Berlin"), ("2020-01-01", "2021-01-01")),
        (pa.timestamp("ns"), ("2020-01-01", "2020-06-01T12:00:00")),
        (pa.time64("us"), ("08:00:00", "18:00:00")),
        (pa.decimal128(14, 2), (0, 99.5)),
        (pa.uint16(), (0, 9000)),
        (pa.float32(), (-1.5, 2.5)),
    ],
)
def test_bounds_are_of_the_type_of_their_column(kind, bounds):
    """Dates, times and numbers; no value beyond them comes out."""
    column = Column("a", "datetime" if pa.types.is_temporal(kind) else "numerical", nullable=False)
    metadata = Metadata({"t": Table("t", {"a": column})})
    privacy = DifferentialPrivacy(1.0, bounds={"a": bounds}, noise_seed=1)
    ends = pa.array([5, 7], pa.int64() if pa.types.is_temporal(kind) else pa.int32()).cast(kind)
    table = pa.table({"a": pa.concat_arrays([ends] * 100)})
    fitted = GaussianCopulaSynthesizer(metadata, privacy=privacy).fit(table)
    encoder = fitted.part_.codec.encoders["a"]
    ticks = encoder.scale.to_ticks(fitted.sample(50, seed=1)["a"].combine_chunks())
    assert encoder.marginal.lows[0] <= ticks.min() <= ticks.max() <= encoder.marginal.highs[-1]
    wide = encoder.marginal.highs[-1] - encoder.marginal.lows[0]
    assert wide == pytest.approx(_width(kind, bounds), rel=1e-6)


def _width(kind, bounds):
    """Between bounds, in the ticks that follow from the type."""
    if pa.types.is_time(kind):
        return 10 * 3600
    if pa.types.is_timestamp(kind):
        return (np.datetime64(bounds[1]) - np.datetime64(bounds[0])) / np.timedelta64(1, "s")
    return (bounds[1] - bounds[0]) * (100 if pa.types.is_decimal(kind) else 1)


def test_bounds_of_another_kind_are_refused():
    """Dates for a number."""
    metadata = Metadata({"t": Table("t", {"a": Column("a", "numerical")})})
    privacy = DifferentialPrivacy(1.0, bounds={"a": ("2020-01-01", "2021-01-01")})
    with pytest.raises(SynthesisError, match="no values of its type"):
        GaussianCopulaSynthesizer(metadata, privacy=privacy).fit(pa.table({"a": [1, 2, 3]}))
