"""The project file: what is read, and what is refused with which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prefect_synth.flows.project import Project, ProjectError, load_project
from prefect_synth.flows.project_schema import project_schema
from prefect_synth.synth.metadata import Relationship
from prefect_synth.synth.registry import SYNTHESIZERS

*FIRST_NAMES, LAST_NAME = map(repr, SYNTHESIZERS)
SYNTHESIZER_NAMES = f"{', '.join(FIRST_NAMES)} or {LAST_NAME}"
COMPLETE = """\
project: shop
warehouse: {url: 'duckdb:///shop.duckdb'}
sandbox: {url: sandbox}
"""


def load(folder: Path, text: str, **environment: str) -> Project:
    """Read `text` as a project file."""
    (folder / "synth.yaml").write_text(text)
    return load_project(folder, environment)


def refusal(folder: Path, text: str, **environment: str) -> str:
    """Why `text` is refused as a project file."""
    with pytest.raises(ProjectError) as refused:
        load(folder, text, **environment)
    return str(refused.value)


def test_three_keys_are_a_complete_file(tmp_path: Path) -> None:
    """Every other key has a default."""
    project = load(tmp_path, COMPLETE)
    assert (project.defaults.model, project.run.seed, project.sandbox.retain.last) == (
        "auto",
        0,
        14,
    )


def test_an_unknown_key_names_line_neighbour_and_what_is_allowed(tmp_path: Path) -> None:
    """A typing mistake is answered with the key that was meant."""
    assert refusal(tmp_path, COMPLETE + "defaults:\n  modle: fast\n") == (
        "synth.yaml:5: unknown key 'defaults.modle'. Did you mean 'model'? "
        "Allowed here: keys, locale, model, on_orphan, rules, scale."
    )


def test_an_unknown_key_deep_in_a_table_is_found(tmp_path: Path) -> None:
    """Keys below names that the user chose are checked too."""
    text = COMPLETE + "tables:\n  orders:\n    columns:\n      id: {pi: true}\n"
    assert "synth.yaml:7: unknown key 'tables.orders.columns.id.pi'. Did you mean 'pii'?" in (
        refusal(tmp_path, text)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("defaults: {scale: -1}", "synth.yaml:4: 'defaults.scale' must be greater than 0, got -1."),
        (
            "defaults: {model: tree}",
            f"synth.yaml:4: 'defaults.model' must be {SYNTHESIZER_NAMES}, got 'tree'.",
        ),
        ("version: 2", "synth.yaml:4: 'version' must be 1, got 2."),
        (
            "run: {timezone: Mars}",
            "synth.yaml:4: 'run.timezone' is not a time zone, such as Europe/Madrid or UTC.",
        ),
        (
            "run: {schedule: daily}",
            "synth.yaml:4: 'run.schedule' is not a cron line of five fields, such as '30 2 * * *'.",
        ),
        (
            "defaults:",
            "synth.yaml:4: 'defaults' must hold keys, as in 'key: value', or be left out.",
        ),
        (
            "project: twice",
            "synth.yaml:4: the key 'project' stands here twice, first in line 1. Keep one of them.",
        ),
    ],
)
def test_a_wrong_value_names_line_key_limit_and_value(
    tmp_path: Path, text: str, expected: str
) -> None:
    """One sentence says where, what and what is allowed."""
    assert refusal(tmp_path, f"{COMPLETE}{text}\n") == expected


def test_all_findings_are_told_in_the_order_of_their_lines(tmp_path: Path) -> None:
    """Nobody has to mend a file one message at a time."""
    found = refusal(tmp_path, "warehouse: {}\nproject: A!\n").splitlines()
    assert [line.partition(" ")[0] for line in found] == [
        "synth.yaml:",
        "synth.yaml:1:",
        "synth.yaml:2:",
    ]


def test_variables_are_filled_in(tmp_path: Path) -> None:
    """`${NAME}` stands for what the environment holds."""
    text = COMPLETE.replace("sandbox: {url: sandbox}", "sandbox: {url: 's3://${BUCKET}/shop'}")
    assert load(tmp_path, text, BUCKET="test").sandbox.url == "s3://test/shop"


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    """The place, the variable and the cure are told."""
    assert refusal(tmp_path, COMPLETE.replace("shop.duckdb", "${NOWHERE}")) == (
        "synth.yaml:2: 'warehouse.url' needs the environment variable NOWHERE, which is not set. "
        "Set it before the command: `export NOWHERE=...`."
    )


def test_an_empty_variable_counts_as_missing(tmp_path: Path) -> None:
    """An empty URL would only fail later, and elsewhere."""
    text = COMPLETE.replace("duckdb:///shop.duckdb", "${EMPTY}")
    with pytest.raises(ProjectError, match="variable EMPTY, which is empty"):
        load(tmp_path, text, EMPTY="")


def test_a_secret_is_in_no_text_of_the_project(tmp_path: Path) -> None:
    """Passwords and keys appear neither in representations nor in JSON."""
    text = COMPLETE.replace("duckdb:///shop.duckdb", "postgresql://ann:${PASSWORD}@db/x").replace(
        "sandbox: {url: sandbox}", "sandbox: {url: 's3://b/p', key: k, secret: '${PASSWORD}'}"
    )
    project = load(tmp_path, text, PASSWORD="hush-hush")
    assert "hush" not in f"{project!r}{project}{project.model_dump_json()}"


def test_a_secret_is_in_no_error(tmp_path: Path) -> None:
    """A wrong file with a password in it is refused without repeating the password."""
    text = "project: shop\nwarehouse: {url: ['hush-hush']}\nsandbox: {url: s, secret: hush-hush}\n"
    assert "hush" not in refusal(tmp_path, text)


def test_relations_are_read(tmp_path: Path) -> None:
    """Simple, composite and schema-qualified relations have one form."""
    text = (
        f"{COMPLETE}relations:\n  - sales.orders.customer_id -> crm.customers.id\n"
        "  - shipments.(order_id, line_no) -> order_items.(order_id, line_no)\n"
    )
    assert load(tmp_path, text).relationships() == (
        Relationship("sales.orders", ("customer_id",), "crm.customers", ("id",)),
        Relationship("shipments", ("order_id", "line_no"), "order_items", ("order_id", "line_no")),
    )


def test_a_relation_may_have_a_condition(tmp_path: Path) -> None:
    """A polymorphic reference is a relation for each type; a condition without a value is none."""
    line = "notes.owner_id -> invoices.id when owner_type"
    assert load(tmp_path, f"{COMPLETE}relations: ['{line} = invoice']\n").relationships() == (
        Relationship("notes", ("owner_id",), "invoices", ("id",), ("owner_type", "invoice")),
    )
    refused = refusal(tmp_path, f"{COMPLETE}relations: ['{line}']\n")
    assert "has a condition that is none" in refused


def test_a_relation_of_another_form_is_refused(tmp_path: Path) -> None:
    """The message shows how to write it."""
    assert "'orders.customer_id: customers' is not a relation. Write it as" in (
        refusal(tmp_path, f"{COMPLETE}relations: ['orders.customer_id: customers']\n")
    )


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "", " x", "a\\tb"])
def test_a_balanced_table_has_a_plain_name(tmp_path: Path, name: str) -> None:
    """Its name is that of a folder, of a table in databases, and of a line in the report."""
    balance = f'tables: {{orders: {{balance: {{column: c, name: "{name}"}}}}}}\n'
    assert "balance.name" in refusal(tmp_path, COMPLETE + balance)
    good = balance.replace(f'"{name}"', '"crm.orders even"')
    assert load(tmp_path, COMPLETE + good).balances()[0].name == "crm.orders even"


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    """The message names the command that writes a project file."""
    with pytest.raises(ProjectError, match="Run `prefect-synth init` to write one"):
        load_project(tmp_path / "synth.yaml")


def test_what_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    """A broken file is refused by file and line."""
    assert refusal(tmp_path, "project: [\n").startswith("synth.yaml:")


def test_the_published_schema_is_current() -> None:
    """`docs/synth.schema.json` is what the code accepts."""
    published = Path(__file__).parents[2] / "docs" / "synth.schema.json"
    assert json.loads(published.read_text()) == project_schema()


def test_every_key_is_described() -> None:
    """An editor can explain each key of the project's own parts."""
    definitions = project_schema()["$defs"].items()
    bare = [
        f"{name}.{key}"
        for name, part in definitions
        for form in part.get("anyOf", [part])  # a number, or keys
        for key, field in form.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ]
    assert bare == []
