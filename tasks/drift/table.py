"""What moved as a table in Markdown, for Prefect's artifacts; names and types, no data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prefect_synth.expectations.scorecard import counted, markdown_row
from prefect_synth.tasks.drift.changes import Change, Drift, Effect

_ORDER: tuple[Effect, ...] = ("blocks", "held", "left out", "waits", "kept", "followed")
_SAID: dict[Effect, str] = {
    "blocks": "blocks: nothing is refreshed",
    "held": "held: published as NULL",
    "left out": "left out",
    "waits": "waits: not read",
    "kept": "kept as it was accepted",
    "followed": "followed",
}
_SINCE = {
    "synth.lock": "`synth.lock`",
    "first refresh": "the first published refresh",
    "none": "nothing: there is no earlier refresh and no `synth.lock`",
}
_MOST = 100


def drift_markdown(drift: Drift, title: str) -> str:
    """Write what moved and what comes of it, what blocks first, and how to accept it.

    Args:
        drift: What moved.
        title: The heading.
    """
    compared = f"Compared with {_SINCE[drift.baseline]}."
    if not drift:
        return f"# {title}\n\n**Nothing moved.** {compared}\n"
    changes = sorted(drift.changes, key=lambda change: _ORDER.index(change.effect))
    effects = Counter(change.effect for change in changes)
    said = ", ".join(f"{effects[effect]} {effect}" for effect in _ORDER if effects[effect])
    parts = [
        f"# {title}",
        f"**{counted(len(changes), 'change')}: {said}.** {compared}",
        _table(changes[:_MOST]),
    ]
    if len(changes) > _MOST:
        parts.append(f"And {len(changes) - _MOST} more: `prefect-synth drift` has all.")
    return "\n\n".join([*parts, *_remedy(changes)]) + "\n"


def _table(changes: Sequence[Change]) -> str:
    lines = [
        "| place | what | before | now | policy | what comes of it | since |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        markdown_row(
            f"`{change.place}`",
            change.kind.replace("_", " "),
            change.old or "-",
            change.new or "-",
            change.policy,
            _SAID[change.effect] + (f" ({change.needed_by} needs it)" if change.needed_by else ""),
            (change.since or "-")[:10],
        )
        for change in changes
    ]
    return "\n".join(lines)


def _remedy(changes: Sequence[Change]) -> list[str]:
    """What to type, where something waits for a decision."""
    places = dict.fromkeys(change.place for change in changes if change.effect != "followed")
    if not places:
        return []
    return [
        f"Accept with `prefect-synth drift accept {' '.join(places)}`, and commit `synth.lock`."
    ]
