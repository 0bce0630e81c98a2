"""`prefect-synth snapshots diff`: what differs between two snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.sandbox_place import SandboxPlace
from prefect_synth.tasks.snapshots.difference import SnapshotDifference, compare_snapshots
from prefect_synth.tasks.snapshots.errors import SnapshotNotFoundError
from prefect_synth.tasks.snapshots.reading import LATEST, Snapshots, snapshots_in
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot

_MOST = 10
"""So many columns and figures are shown; `--json` has all of them."""

_SHOWN = 0.0005


def compare(
    place: SandboxPlace, before: str | None, after: str, tables: Sequence[str] = ()
) -> Answer:
    """Compare two snapshots.

    Args:
        place: The sandbox.
        before: Name of the older one, or `latest`; by default the one before `after`.
        after: Name of the newer one, or `latest`.
        tables: Only these tables.

    Raises:
        SnapshotNotFoundError: There is no such snapshot, or none before it.
    """
    sandbox = snapshots_in(place.open())
    newer = sandbox.get(after)
    older = _previous(sandbox, newer) if before is None else sandbox.get(before)
    found = compare_snapshots(older, newer, tables)
    return Answer(found.to_dict(), lambda console: _show(console, found))


def _previous(sandbox: Snapshots, snapshot: Snapshot) -> Snapshot:
    names = [info.snapshot_id for info in sandbox.list()]  # the newest first
    later = names[names.index(snapshot.snapshot_id) + 1 :] if snapshot.snapshot_id in names else []
    if not later:
        raise SnapshotNotFoundError(
            f"'{sandbox.url}' has no snapshot before {snapshot.snapshot_id!r} to compare it with. "
            f"Name one: `prefect-synth snapshots diff A B`; B is '{LATEST}' if it is left out."
        )
    return sandbox.get(later[0])


def _show(console: Console, found: SnapshotDifference) -> None:
    console.print(f"[bold]{escape(found.before)}[/] -> [bold]{escape(found.after)}[/]")
    console.print(f"rows unchanged: {_share(found.unchanged_share)}\n")
    _show_rows(console, found)
    _show_list(console, "schema", map(str, found.schema))
    moved = [c for c in found.columns if c.moved >= _SHOWN]
    _show_table(
        console,
        "columns that moved most",
        ("column", "alike", "nulls", "distinct"),
        [
            (
                f"{c.table}.{c.column}",
                "-" if c.alike is None else f"{c.alike:.3f}",
                _both(c.nulls, "{:.1%}"),
                _both(c.distinct, "{:,}"),
            )
            for c in moved
        ],
    )
    _show_table(
        console,
        "figures that moved most",
        ("figure", "before", "after", "difference"),
        [
            (s.name, _number(s.before), _number(s.after), _signed(s.difference))
            for s in found.scores
            if s.difference is None or abs(s.difference) >= _SHOWN
        ],
    )
    changed = (f"{c.name}: {c.before or 'none'} -> {c.after or 'none'}" for c in found.checks)
    _show_list(console, "checks", changed)


def _show_rows(console: Console, found: SnapshotDifference) -> None:
    table = Table("table", box=None, pad_edge=False)
    for name in ("before", "after", "added", "removed", "changed", "unchanged"):
        table.add_column(name, justify="right")
    table.add_column("")
    for name, rows in found.rows.items():
        counts = (rows.before, rows.after, rows.added, rows.removed, rows.changed)
        table.add_row(
            escape(name),
            *(f"{count:,}" for count in counts),
            _share(rows.unchanged_share),
            "" if rows.by_key else "[dim]no primary key: as bags of rows[/]",
        )
    console.print(table)


def _show_list(console: Console, title: str, lines: Iterable[str]) -> None:
    for number, line in enumerate(lines):
        if number == 0:
            console.print(f"\n[bold]{title}[/]")
        console.print(f"  {escape(line)}", soft_wrap=True)


def _show_table(
    console: Console, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    if not rows:
        return
    console.print(f"\n[bold]{title}[/]")
    table = Table(head[0], box=None, pad_edge=False)
    for name in head[1:]:
        table.add_column(name, justify="right")
    for row in rows[:_MOST]:
        table.add_row(*map(escape, row))
    console.print(table)
    if len(rows) > _MOST:
        console.print(f"[dim]and {len(rows) - _MOST} more: --json[/]")


def _both(sides: Sequence[float], form: str) -> str:
    left, right = (form.format(side) for side in sides)
    return left if left == right else f"{left} -> {right}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"
