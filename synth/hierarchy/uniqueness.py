"""Unique keys made of several parts, repaired with as little change as can be.

First dates and numbers of repeating rows step aside to a neighbouring value, which changes little.
Then entries of one part are exchanged between rows, which changes no part's own distribution. What
is left over gets another entry that is still free for its row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.hierarchy.key_codes import KeyPart, combine, count_within, repeated

_PASSES = 60
_PATIENCE = 10
_ROUNDS = 20
_AT_ONCE = 2_000_000
_ASIDE = 10
_MANY = 0.05

_Step = Callable[[Sequence[KeyPart], int, np.random.Generator, int], None]


def repair(
    parts: Sequence[KeyPart],
    free: Sequence[int],
    rng: np.random.Generator,
    *,
    fillable: bool = True,
    held: int = 0,
) -> bool:
    """Change choices until no combination comes twice.

    Args:
        parts: The key's parts; their choices are changed in place.
        free: Indices of the parts that may be changed, the best ones first.
        rng: Picks partners and options.
        fillable: Whether, when all else fails, rows may be put on any unused combination.
        held: The first rows, so many of them, are unique among themselves and stay as they are.

    Returns:
        Whether the key is unique now.
    """
    for step in _steps(parts):
        for index in free:
            if not len(_bad(parts)):
                return True
            step(parts, index, rng, held)
    if len(_bad(parts)) and fillable and all(p.groups is None for p in parts):
        _fill_gaps(parts, rng)
    return not len(_bad(parts))


def _steps(parts: Sequence[KeyPart]) -> tuple[_Step, ...]:
    """What is tried, in order: laying a part out anew tears every row apart, so it comes late.

    Where many rows repeat it comes before rows get other entries, which would bend the part's own
    distribution instead.
    """
    if len(_bad(parts)) > _MANY * len(parts[0].choice):
        return (swap, lay_out, move)
    return (step_aside, swap, move, lay_out)


def _bad(parts: Sequence[KeyPart]) -> Ints:
    return repeated([p.row_codes for p in parts])


def _rest(parts: Sequence[KeyPart], free: int) -> list[Ints]:
    """What the other parts have in each row; all the same where there is no other."""
    rest = [p.row_codes for i, p in enumerate(parts) if i != free]
    return rest or [np.zeros(len(parts[free].choice), np.int64)]


def step_aside(
    parts: Sequence[KeyPart], free: int, rng: np.random.Generator, held: int = 0
) -> None:
    """Put repeating rows on the nearest value of an ordered part that is free for them."""
    part = parts[free]
    if not part.ordered:
        return
    rest = combine(_rest(parts, free))
    size = int(part.codes.max(initial=0)) + 1
    for far in np.repeat(np.arange(1, _ASIDE + 1), 2) * np.tile([1, -1], _ASIDE):
        bad = _bad(parts)
        if not len(bad):
            return
        bad = bad[(part.choice[bad] + far >= 0) & (part.choice[bad] + far < len(part.codes))]
        _take_free(part, rest, size, bad, part.choice[bad] + far)


def _take_free(part: KeyPart, held: Ints, size: int, rows: Ints, options: Ints) -> None:
    """Give rows the options wanted, where nobody of the same rest of the key has them."""
    wanted = held[rows] * size + part.codes[options]
    new = ~np.isin(wanted, held * size + part.row_codes)
    new &= np.isin(np.arange(len(wanted)), np.unique(wanted, return_index=True)[1])
    part.choice[rows[new]] = options[new]


def swap(parts: Sequence[KeyPart], free: int, rng: np.random.Generator, held: int = 0) -> None:
    """Exchange entries of one part between rows of a group, as long as it helps."""
    part = parts[free]
    n = len(part.choice)
    best, waited = n, 0
    for _ in range(_PASSES):
        bad = _bad(parts)
        if not len(bad):
            return
        best, waited = (len(bad), 0) if len(bad) < best else (best, waited + 1)
        if waited > _PATIENCE:
            break
        partners = _partners(part, bad, rng, held)
        _, first = np.unique(np.concatenate([bad, partners]), return_index=True)
        alone = np.isin(np.arange(len(bad)), first) & np.isin(np.arange(len(bad)) + len(bad), first)
        bad, partners = bad[alone], partners[alone]
        part.choice[bad], part.choice[partners] = part.choice[partners], part.choice[bad]


def lay_out(parts: Sequence[KeyPart], free: int, rng: np.random.Generator, held: int = 0) -> None:
    """Deal the entries of one part out anew, where that makes the key unique."""
    part = parts[free]
    if part.groups is None and not held:
        fixed = _rest(parts, free)
        order = spread(fixed, part.row_codes)
        part.choice = part.choice if order is None else part.choice[order]


def _partners(part: KeyPart, rows: Ints, rng: np.random.Generator, held: int) -> Ints:
    if part.groups is None:
        return rng.integers(held, len(part.choice), len(rows))
    order = np.argsort(part.groups[held:], kind="stable") + held
    start = np.searchsorted(part.groups[order], part.groups[rows], side="left")
    stop = np.searchsorted(part.groups[order], part.groups[rows], side="right")
    return np.asarray(order[rng.integers(start, stop)])


def spread(fixed: Sequence[Ints], free: Ints) -> Ints | None:
    """Lay the free part's values, commonest first, over rows whose equal keys lie far apart.

    Rows are ordered by how often their fixed key has come before; equal keys are then as far apart
    as there are different ones, so a value fits without repeats (the construction behind the
    Gale-Ryser theorem).
    """
    keys = combine(fixed)
    counts = np.bincount(keys)
    rows = np.lexsort((keys, -counts[keys], count_within(keys)))
    dense = np.unique(free, return_inverse=True)[1]
    often = np.bincount(dense)
    values = np.lexsort((dense, -often[dense]))
    order = np.empty(len(keys), np.int64)
    order[rows] = values
    return order if not len(repeated([*fixed, free[order]])) else None


def move(
    parts: Sequence[KeyPart],
    free: int,
    rng: np.random.Generator,
    held: int = 0,
    *,
    in_order: bool = False,
) -> None:
    """Give repeating rows another option of one part.

    Args:
        parts: The key's parts; the choice of part `free` is changed in place.
        free: Index of the part.
        rng: Picks the options.
        held: Rows that stay as they are: they never repeat, so they are never moved.
        in_order: Take the first option that is left, rather than any.
    """
    part = parts[free]
    rest = combine([*_rest(parts, free), *([] if part.groups is None else [part.groups])])
    size = int(part.codes.max(initial=0)) + 1
    for _ in range(0 if in_order else _ROUNDS):
        bad = _bad(parts)
        if not len(bad):
            return
        _take_free(part, rest, size, bad, _options(part, bad, rng))
    bad = _bad(parts)
    per_chunk = max(_AT_ONCE // max(len(part.codes), 1), 1)
    holders = np.unique(rest[bad])
    for start in range(0, len(holders), per_chunk):
        chunk = holders[start : start + per_chunk]
        _move_exactly(part, rest, size, bad[np.isin(rest[bad], chunk)], chunk, in_order, rng)


def _options(part: KeyPart, rows: Ints, rng: np.random.Generator) -> Ints:
    if part.groups is None or part.option_groups is None:
        return rng.integers(0, len(part.codes), len(rows))
    order = np.argsort(part.option_groups, kind="stable")
    start = np.searchsorted(part.option_groups[order], part.groups[rows], side="left")
    stop = np.searchsorted(part.option_groups[order], part.groups[rows], side="right")
    picked = rng.integers(start, np.maximum(stop, start + 1))
    # a group without options keeps what it has
    return np.where(stop > start, order[np.minimum(picked, len(order) - 1)], part.choice[rows])


def _move_exactly(
    part: KeyPart,
    held: Ints,
    size: int,
    bad: Ints,
    holders: Ints,
    in_order: bool,
    rng: np.random.Generator,
) -> None:
    """Give each repeating row an option that no row of the same rest of the key has."""
    holder, option = (x.ravel() for x in np.indices((len(holders), len(part.codes))))
    if part.groups is not None and part.option_groups is not None:
        group_of = np.zeros(int(held.max()) + 1, np.int64)
        group_of[held] = part.groups
        allowed = part.option_groups[option] == group_of[holders[holder]]
        holder, option = holder[allowed], option[allowed]
    pairs = holders[holder] * size + part.codes[option]
    shuffled = np.arange(len(pairs)) if in_order else rng.permutation(len(pairs))
    shuffled = shuffled[np.sort(np.unique(pairs[shuffled], return_index=True)[1])]
    left = shuffled[~np.isin(pairs[shuffled], held * size + part.row_codes)]
    takers, offers = _line_up(held[bad], holders[holder[left]])
    part.choice[bad[takers]] = option[left[offers]]


def _line_up(asked: Ints, offered: Ints) -> tuple[Ints, Ints]:
    """Pair the nth asker of a kind with the nth offer of it."""
    kinds = np.concatenate([asked, offered])
    order = np.argsort(kinds, kind="stable")
    starts = np.flatnonzero(np.diff(kinds[order], prepend=-1))
    ask = order < len(asked)
    asks = np.add.reduceat(ask.astype(np.int64), starts) if len(starts) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(starts, len(kinds)))
    met = np.minimum(asks, sizes - asks)
    at = np.arange(len(kinds)) - np.repeat(starts, sizes)
    asks_, met_ = np.repeat(asks, sizes), np.repeat(met, sizes)
    takers = order[ask & (at < met_)]
    offers = order[~ask & (at - asks_ < met_)] - len(asked)
    return takers, offers


def _fill_gaps(parts: Sequence[KeyPart], rng: np.random.Generator) -> None:
    """Put the rows that still repeat on combinations that nobody has."""
    sizes = [len(p.codes) for p in parts]
    if np.prod(np.array(sizes, float)) > _AT_ONCE:
        return
    every = np.indices(sizes).reshape(len(parts), -1)
    codes = combine(
        [np.concatenate([p.row_codes, p.codes[e]]) for p, e in zip(parts, every, strict=True)]
    )
    bad, n = _bad(parts), len(parts[0].choice)
    unused = rng.permutation(np.flatnonzero(~np.isin(codes[n:], codes[:n])))
    unused = unused[np.sort(np.unique(codes[n:][unused], return_index=True)[1])][: len(bad)]
    for part, entries in zip(parts, every, strict=True):
        part.choice[bad[: len(unused)]] = entries[unused]
