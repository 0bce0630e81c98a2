"""Samples that grow: earlier rows stay, later ones are appended, and the whole holds together."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy import contexts
from prefect_synth.synth.hierarchy.appending import for_growth
from prefect_synth.synth.hierarchy.counts import calibrate
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.key_codes import KeyPart
from prefect_synth.synth.hierarchy.levels import assign_by_level, levels
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.hierarchy.uniqueness import repair
from prefect_synth.synth.metrics.quality import quality
from prefect_synth.synth.rules.checking import broken_rows
from prefect_synth.synth.scenarios.scenario import ChildCount, Scenario

PEOPLE, ORDERS, GOODS = 200, 900, 12


def shop(rng):
    """Regions that are kept, people with a chief, their passports, orders, what is in them."""
    of = np.sort(rng.integers(0, PEOPLE, ORDERS))
    both = [rng.integers(0, ORDERS, 2500), rng.integers(0, GOODS, 2500)]
    pairs = np.unique(np.column_stack(both), axis=0)
    cents = rng.integers(1, 900, len(pairs))
    total = np.bincount(pairs[:, 0], cents, minlength=ORDERS)
    up = [None if i < 9 else int(rng.integers(0, i)) for i in range(PEOPLE)]
    has = rng.permutation(PEOPLE)[:150]
    return {
        "region": pa.table({"id": range(4), "name": ["north", "east", "south", "west"]}),
        "people": pa.table(
            {
                "id": range(PEOPLE),
                "region_id": rng.integers(0, 4, PEOPLE),
                "chief_id": pa.array(up, pa.int64()),
                "mail": [f"m{i}@corp.example" for i in range(PEOPLE)],
                "age": rng.integers(18, 80, PEOPLE),
            }
        ),
        "passport": pa.table({"people_id": has, "pages": rng.integers(20, 60, len(has))}),
        "goods": pa.table({"id": range(GOODS), "price": rng.gamma(2, 10, GOODS).round(2)}),
        "orders": pa.table({"id": range(ORDERS), "people_id": of, "total": total.astype(int)}),
        "lines": pa.table({"orders_id": pairs[:, 0], "goods_id": pairs[:, 1], "cents": cents}),
    }


def described(schema_of, tables):
    """How they hang together."""
    return schema_of(
        {
            "region": "id",
            "people": "id",
            "passport": "people_id",
            "goods": "id",
            "orders": "id",
            "lines": "orders_id, goods_id",
        },
        tables,
        [
            "people.region_id -> region.id",
            "people.chief_id -> people.id",
            "passport.people_id -> people.id",
            "orders.people_id -> people.id",
            "lines.orders_id -> orders.id",
            "lines.goods_id -> goods.id",
        ],
        {"people": ["mail"]},
    )


@pytest.fixture(scope="module")
def grown(schema_of):
    """A model of the shop, and what it was fitted to."""
    tables = shop(np.random.default_rng(3))
    metadata = described(schema_of, tables)
    return HMASynthesizer(metadata, keep=("region",), seed=4).fit(tables), metadata, tables


def stays(before, after):
    """Whether the later tables begin with the earlier ones."""
    return {n: after[n].slice(0, len(t)).equals(t) for n, t in before.items()}


def digest(model, shards, workers=1, **options):
    """A hash of all rows, drawn shard by shard."""
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(
            lambda at: list(model.sample_batches(shard=(at, shards), **options)), range(shards)
        )
        tables = {}
        for name, batch in (b for part in parts for b in part):
            tables.setdefault(name, []).append(batch)
    return {
        n: hashlib.sha256(pa.Table.from_batches(b).to_pandas().to_csv().encode()).hexdigest()
        for n, b in tables.items()
    }


@pytest.mark.parametrize("scale", [1.01, 1.3, 2.0])
def test_rows_are_appended(audit, grown, scale):
    """What was there stays, byte by byte, as many rows as asked for follow, and keys hold."""
    model, metadata, tables = grown
    made = model.sample(scale, after=[1.0])
    audit(metadata, tables, made)
    assert all(stays(model.sample(), made).values())
    wanted = {n: round(len(t) * scale) for n, t in tables.items()} | {"region": 4}
    assert {n: len(t) for n, t in made.items()} == wanted


def test_finished_stages_stay(audit, grown):
    """Growing again leaves what was appended before as it is."""
    model, metadata, tables = grown
    once = model.sample(1.1, after=[1.0])
    twice = model.sample(1.2, after=[1.0, 1.1])
    audit(metadata, tables, twice)
    assert all(stays(once, twice).values())


def test_asking_for_the_same_changes_nothing(grown):
    """A stage that asks for nothing more draws nothing."""
    model, _, _ = grown
    assert model.sample(1.1, after=[1.0, 1.1]) == model.sample(1.1, after=[1.0])


def test_a_table_that_grows_alone_finds_parents_among_the_old(audit, grown):
    """New orders without new people spread over the people who are there."""
    model, metadata, tables = grown
    more = dict.fromkeys(tables, 1.0) | {"orders": 1.2, "lines": 1.2}
    made = model.sample(more, after=[1.0])
    audit(metadata, tables, made)
    new = made["orders"]["people_id"].slice(ORDERS)
    assert pc.count_distinct(new).as_py() > 60
    assert all(stays(model.sample(), made).values())


def test_a_few_new_parents_never_get_all_new_rows(grown):
    """With two new people and a fifth more orders, old people have most of these."""
    model, _, tables = grown
    more = dict.fromkeys(tables, 1.0) | {"people": 1.01, "orders": 1.2, "lines": 1.2}
    made = model.sample(more, after=[1.0])
    ids = made["people"]["id"].to_pylist()
    counts = made["orders"]["people_id"].value_counts()
    families = {c["values"]: c["counts"] for c in counts.to_pylist()}
    assert max(families.get(i, 0) for i in ids[PEOPLE:]) <= 2 * max(
        families.get(i, 0) for i in ids[:PEOPLE]
    )


def test_one_to_one_uses_old_parents_that_are_free(audit, grown):
    """More passports without more people go to people who have none."""
    model, metadata, tables = grown
    made = model.sample(dict.fromkeys(tables, 1.0) | {"passport": 1.3}, after=[1.0])
    audit(metadata, tables, made)
    assert len(made["passport"]) == 195


@pytest.mark.parametrize(("shards", "workers"), [(2, 2), (4, 4), (9, 1)])
def test_shards_make_up_the_whole(grown, shards, workers, monkeypatch):
    """Any number of shards, by any number of workers, gives the bytes of one."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", 64)
    monkeypatch.setattr(contexts, "_SMALLEST", 64)
    options = {"scale": 1.4, "after": [1.0, 1.2]}
    assert digest(grown[0], shards, workers, **options) == digest(grown[0], 1, **options)


def test_a_stored_plan_draws_the_same(grown, tmp_path):
    """A plan with appended rows is read back as it was, and memory changes no row."""
    model, metadata, _ = grown
    made = model.sampler(1.3, after=[1.0], memory="200KB")
    made.save(tmp_path)
    again = Sampler.load(tmp_path, metadata, model.parts_, made.keys.pseudonyms.secret)
    assert again.tables() == model.sample(1.3, after=[1.0])


def test_fewer_rows_draw_the_table_anew(audit, grown):
    """A table that shrinks, and those that refer to it, are drawn anew; the others stay."""
    model, metadata, tables = grown
    less = dict.fromkeys(tables, 1.0) | {"orders": 0.9, "lines": 0.9}
    made, before = model.sample(less, after=[1.0]), model.sample()
    audit(metadata, tables, made)
    same = {n for n, t in before.items() if made[n].equals(t)}
    assert same == {"region", "people", "passport", "goods"}
    assert made["orders"]["id"] == before["orders"]["id"].slice(0, 810)


def cycle(rng):
    """Teams that a member leads, and members of teams."""
    return {
        "team": pa.table({"id": range(40), "lead_id": rng.integers(0, 200, 40)}),
        "member": pa.table({"id": range(200), "team_id": rng.integers(0, 40, 200)}),
    }


@pytest.mark.parametrize(
    ("scale", "anew"),
    [
        ({"team": 1.1, "member": 1.1}, ()),
        ({"team": 1.0, "member": 1.2}, ()),
        ({"team": 1.0, "member": 0.8}, ("team", "member")),
        ({"team": 0.8, "member": 1.0}, ("member", "team")),
    ],
)
def test_tables_in_a_circle_grow(audit, schema_of, rng, scale, anew):
    """A circle of tables grows too; if either one shrinks, both are drawn anew."""
    tables = cycle(rng)
    relations = ["team.lead_id -> member.id", "member.team_id -> team.id"]
    metadata = schema_of({"team": "id", "member": "id"}, tables, relations)
    model = HMASynthesizer(metadata).fit(tables)
    sampler = model.sampler(scale, after=[1.0])
    made = sampler.tables()
    audit(metadata, tables, made)
    assert {n: len(t) for n, t in made.items()} == {
        n: round(len(t) * scale[n]) for n, t in tables.items()
    }
    assert set(sampler.anew) == set(anew)
    assert all(stays(model.sample(), made).values()) == (not anew)


def test_what_was_drawn_anew_stays_from_then_on(audit, schema_of, rng):
    """A stage that nothing could be appended to is what later ones are appended to."""
    tables = cycle(rng)
    relations = ["team.lead_id -> member.id", "member.team_id -> team.id"]
    metadata = schema_of({"team": "id", "member": "id"}, tables, relations)
    model = HMASynthesizer(metadata).fit(tables)
    less, more = {"team": 1.0, "member": 0.8}, {"team": 1.0, "member": 0.9}
    before, after = model.sample(less, after=[1.0]), model.sample(more, after=[1.0, less])
    audit(metadata, tables, after)
    assert all(stays(before, after).values())


def test_sums_of_rows_below_hold(grown):
    """A column that sums up its children does so after growth, and old sums stay."""
    model, metadata, _ = grown
    made = model.sample(1.2, after=[1.0])
    assert "total = sum(lines.cents)" in model.rules["orders"]
    rules = model.parts_["orders"].rules
    assert sum(broken_rows(metadata, "orders", rules, made).values()) == 0


def readings(rng):
    """Readings in their order, of a few devices."""
    of = np.sort(rng.integers(0, 20, 600))
    seen = np.datetime64("2026-01-01", "s") + rng.integers(1, 90_000, 600).cumsum()
    return {
        "device": pa.table({"id": range(20), "floor": rng.integers(0, 5, 20)}),
        "reading": pa.table({"id": range(600), "device_id": of, "seen_at": seen}),
    }


@pytest.mark.parametrize(("devices", "stay"), [(1.1, True), (1.0, False)])
def test_families_in_order_are_appended_whole(audit, schema_of, rng, devices, stay):
    """New devices bring their readings; without new ones all readings are drawn anew."""
    tables = readings(rng)
    metadata = schema_of(
        {"device": "id", "reading": "id"}, tables, ["reading.device_id -> device.id"]
    )
    model = HMASynthesizer(metadata, rules={"reading": ["increasing(seen_at)"]}).fit(tables)
    assert model.parts_["reading"].rules.increasing is not None
    before = model.sample()
    made = model.sample({"device": devices, "reading": 1.1}, after=[1.0])
    audit(metadata, tables, made)
    rules = model.parts_["reading"].rules
    assert sum(broken_rows(metadata, "reading", rules, made).values()) == 0
    assert stays(before, made) == {"device": True, "reading": stay}


def test_a_scenario_holds_when_rows_are_appended(grown):
    """People who shall have no orders get none later either."""
    model, _, _ = grown
    asked = {"people": (Scenario("quiet", 40, children={"orders": ChildCount(0)}),)}
    before = model.sample(scenarios=asked)
    made = model.sample(1.5, after=[1.0], scenarios=asked)
    assert all(stays(before, made).values())
    quiet = pc.is_in(before["people"]["id"], before["orders"]["people_id"])
    later = pc.is_in(before["people"]["id"], made["orders"]["people_id"])
    assert PEOPLE - pc.sum(later).as_py() >= 40
    assert PEOPLE - pc.sum(quiet).as_py() >= 40


def test_conditions_with_children_hold_when_rows_are_appended(grown):
    """A condition and a number of children on the same rows, of a table that grows itself."""
    model, _, _ = grown
    asked = {"people": (Scenario("busy", 4, "age >= 50", {"orders": ChildCount(12)}),)}
    before = model.sample(scenarios=asked)
    made = model.sample(1.5, after=[1.0], scenarios=asked)
    assert all(stays(before, made).values())
    old = pc.greater_equal(made["people"]["age"], 50).to_numpy()
    at = pc.index_in(made["orders"]["people_id"], made["people"]["id"].combine_chunks())
    assert (old & (np.bincount(at, minlength=len(old)) == 12)).sum() >= 4


def test_a_quota_beyond_the_first_rows_is_reached_with_those_of_tonight(audit, grown):
    """Where the base has too few rows, the first stage that has enough is the base."""
    model, metadata, tables = grown
    asked = {"people": (Scenario("grown up", PEOPLE + 15, "age >= 18"),)}
    made = model.sample(1.1, after=[1.0], scenarios=asked)
    audit(metadata, tables, made)
    assert made == model.sample(1.1, scenarios=asked)
    assert all(stays(made, model.sample(1.2, after=[1.0, 1.1], scenarios=asked)).values())
    with pytest.raises(ContractError, match="gets 204 of them"):
        model.sample(1.02, after=[1.0, 1.01], scenarios=asked)


@pytest.mark.parametrize(
    ("scenario", "stay"),
    [
        (Scenario("old", 60, "age >= 50"), {"people", "passport", "goods"}),
        (Scenario("quiet", 9, children={"orders": ChildCount(0)}), set()),
    ],
)
def test_a_scenario_binds_the_tables_by_whose_rows_it_holds(grown, scenario, stay):
    """Others may be drawn anew beside it; where one of its own must be, all are."""
    model, _, tables = grown
    less = dict.fromkeys(tables, 1.0) | {"orders": 0.8, "lines": 0.8}
    asked = {"people": (scenario,)}
    sampler = model.sampler(less, after=[1.0], scenarios=asked)
    made, before = sampler.tables(), model.sample(scenarios=asked)
    assert set(tables) - set(sampler.anew) - {"region"} == stay
    assert all(made[n].equals(before[n]) for n in stay)


def test_growth_is_as_good_as_one_draw(grown):
    """A sample that grew by a fifth in four stages scores as one that was drawn at once."""
    model, metadata, tables = grown
    once, grew = (
        quality(tables, made, metadata)
        for made in (model.sample(1.2), model.sample(1.2, after=[1.0, 1.05, 1.1, 1.15]))
    )
    assert grew.overall == pytest.approx(once.overall, abs=0.03)
    assert grew.column_shapes == pytest.approx(once.column_shapes, abs=0.02)


def test_new_parents_come_first():
    """New parents have the children they were drawn with, and old ones share the rest."""
    wanted, new = np.array([2.0, 2.0, 4.0, 3.0]), np.array([False, False, False, True])
    dealt = sum(for_growth(wanted, new, ~new, 11, 11, np.random.default_rng(i)) for i in range(400))
    assert (dealt / 400).round(1).tolist() == pytest.approx([2.0, 2.0, 4.0, 3.0], abs=0.2)


def test_counts_keep_to_the_room_of_each_parent():
    """Parents that have had their children get no more."""
    counts = calibrate(np.ones(6), 4, np.random.default_rng(0), np.array([0, 1, 0, 1, 1, 1]))
    assert counts.tolist() == [0, 1, 0, 1, 1, 1]


def test_levels_go_on_from_the_old_rows():
    """New rows of a tree find parents one level above, among old ones too."""
    old = np.array([-1, 0, 0, 1])
    level = np.concatenate([levels(old), [1, 2, 3, 0]])
    rng, groups = np.random.default_rng(1), np.zeros(8, np.int64)
    link = assign_by_level(level, np.ones(8), rng, groups, old=old)
    assert len(link) == 4
    assert [int(level[p]) if p >= 0 else -1 for p in link] == [0, 1, 2, -1]


def test_repairs_leave_held_rows_alone():
    """Of two equal rows the later one changes, however it is repaired."""
    rng = np.random.default_rng(2)
    left = KeyPart(rng.integers(0, 9, 80), np.arange(9))
    right = KeyPart(rng.integers(0, 20, 80), np.arange(20))
    assert repair([left, right], [1], rng)
    more = [
        KeyPart(np.concatenate([p.choice, rng.integers(0, n, 60)]), p.codes)
        for p, n in ((left, 9), (right, 20))
    ]
    assert repair(more, [1, 0], rng, held=80)
    assert [m.choice[:80].tolist() for m in more] == [left.choice.tolist(), right.choice.tolist()]
