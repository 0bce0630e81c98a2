"""Blocks of rows, and what the rows of a block are told of their parents.

A table's blocks are fixed by its columns alone, so that whoever draws a block, alone or after
others, draws the same rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from prefect_synth.synth.encoding.layout import Encoded, Ints
from prefect_synth.synth.hierarchy.cohorts import Block
from prefect_synth.synth.hierarchy.context import parent_context
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.sample import Sample

BLOCK_ROWS = 65_536
_BLOCK_CELLS = 32 * BLOCK_ROWS
_SMALLEST = 4096


def block_rows(part: TablePart) -> int:
    """Rows in a block of a table: fewer where it is wide, so that any block fits in memory."""
    width = len(part.schema) + sum(codec.width for codec in part.relations.values())
    return min(BLOCK_ROWS, max(_SMALLEST, _BLOCK_CELLS // max(width, 1)))


def blocks_of(part: TablePart, drawn: Sample) -> list[Block]:
    """The blocks of a table that is planned, in the order of their rows."""
    rows = drawn.rows.get(part.name, 0)
    return list(drawn.cohorts.blocks(part.name, rows, block_rows(part)))


def new_blocks(part: TablePart, drawn: Sample) -> Iterator[tuple[int, Block]]:
    """Number and place of the blocks that hold the rows being planned."""
    first = drawn.fresh.get(part.name, 0)
    for number, block in enumerate(blocks_of(part, drawn)):
        if block.start >= first:
            yield number, block


def span_of(part: TablePart, drawn: Sample, number: int) -> tuple[int, int]:
    """First row and end of a block; of rows that stand in sequences it has whole families."""
    block = blocks_of(part, drawn)[number]
    if part.rules.increasing is None or part.plan.primary is None:
        return block.start, block.stop
    link = drawn.told[part.plan.primary][block.low : block.high]
    start, stop = (_family_start(link, at - block.low) for at in (block.start, block.stop))
    return start + block.low, stop + block.low


def _family_start(link: Ints, row: int) -> int:
    """The first row from `row` on at which a family begins."""
    if row in (0, len(link)) or link[row] < 0 or link[row] != link[row - 1]:
        return row
    parent = link[row]  # rising, and the rows without parent come last
    return bisect_left(range(len(link)), True, lo=row, key=lambda i: bool(link[i] != parent))


class Contexts:
    """What rows are told of their parents, block by block.

    Args:
        metadata: The schema.
        drawn: What is sampled so far.
        seed: Of every draw.
    """

    def __init__(self, metadata: Metadata, drawn: Sample, seed: int) -> None:
        self.drawn, self.seed = drawn, seed
        self.parents: Mapping[str, str] = {r.name: r.parent for r in metadata.relationships}

    def of(self, part: TablePart, relations: Sequence[str], start: int, stop: int) -> Encoded:
        """The context of rows `start` to `stop` through `relations`, [n, c].

        Args:
            part: The rows' table.
            relations: Relations whose parents are chosen, in the order that was fitted.
            start: First row.
            stop: End of the rows.
        """
        contexts = []
        for relation in relations:
            parent, link = self.parents[relation], self.drawn.told[relation][start:stop]
            rng = stream(self.seed, "stand-in", relation, str(start))
            blocks, inherited = self.drawn.blocks[parent], self.drawn.inherited[parent]
            seen = self.drawn.parents_at(part.name, start, parent)
            contexts.append(
                parent_context(blocks, inherited, relation, link, part.nulls[relation], rng, seen)
            )
        self.drawn.spill.relax()
        return Encoded.beside(contexts, stop - start)


def told_of(part: TablePart) -> list[str]:
    """The relations whose parents a table's rows are told of, in the order that was fitted."""
    return [r for r in (part.plan.primary, *part.plan.assigned) if r is not None]
