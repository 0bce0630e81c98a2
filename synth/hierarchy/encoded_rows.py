"""A table's encoded rows as children see them, written block by block."""

from __future__ import annotations

from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.hierarchy.blocks import Drawn
from prefect_synth.synth.hierarchy.part import Blocks
from prefect_synth.synth.hierarchy.spill import Rows, Spill


class EncodedRows:
    """A table's encoded rows as children see them, written block by block.

    Args:
        spill: Where large arrays go.
        rows: Rows of the table.
    """

    def __init__(self, spill: Spill, rows: int) -> None:
        self.spill, self.rows = spill, rows
        self.parts: dict[tuple[str, str], Rows] = {}

    def write(self, drawn: Drawn) -> None:
        """Keep what children may see of a block."""
        self._write(drawn.blocks, drawn.start)

    def keep(self, blocks: Blocks) -> None:
        """Take over the first rows, which an earlier stage has drawn."""
        self._write(blocks, 0)

    def _write(self, blocks: Blocks, start: int) -> None:
        for place, some in _seen(blocks).items():
            if place not in self.parts:
                self.parts[place] = Rows(self.spill, self.rows, some.layouts)
            self.parts[place].write(start, some)

    def blocks(self, empty: Blocks) -> Blocks:
        """All rows; `empty` is what a table without rows looks like."""
        made = {
            place: self.parts[place].encoded if place in self.parts else some
            for place, some in _seen(empty).items()
        }
        of = {
            kind: {name: some for (k, name), some in made.items() if k == kind}
            for kind in ("relations", "styles")
        }
        return Blocks(of["relations"], {}, made["own", ""], {}, of["styles"], empty.style_of)


def _seen(blocks: Blocks) -> dict[tuple[str, str], Encoded]:
    found = {("own", ""): blocks.own}
    found |= {("relations", name): some for name, some in blocks.relations.items()}
    return found | {("styles", name): some for name, some in blocks.styles.items()}
