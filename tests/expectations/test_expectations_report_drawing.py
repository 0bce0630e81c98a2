"""The drawings of the report: schema, distributions and heat maps."""

import base64
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from prefect_synth.expectations.diagram import draw_schema
from prefect_synth.expectations.heatmaps import MOST_CELLS, draw_heatmaps, largest_changes
from prefect_synth.expectations.layout import lay_out
from prefect_synth.expectations.plots import draw_column, draw_history
from prefect_synth.expectations.png import cells_as_data_uri
from prefect_synth.expectations.report_content import ColumnView, PairView
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table


def schema(names: list[str], ways: list[tuple[str, str]]) -> Metadata:
    """Tables with a key, and foreign keys from the first of each pair to the second."""
    tables = {n: Table(n, {"id": Column("id"), "to": Column("to")}, ("id",)) for n in names}
    return Metadata(tables, tuple(Relationship(x, ("to",), y, ("id",)) for x, y in ways))


def read(svg: str) -> ET.Element:
    """A drawing of ours, which must be well-formed."""
    return ET.fromstring(svg)  # noqa: S314  our own drawing


def test_a_schema_with_cycles_is_drawn() -> None:
    """Self references and cycles get a line each, and the drawing is well-formed."""
    ways = [("a", "b"), ("b", "a"), ("c", "c"), ("c", "a"), ("d", "b"), ("d", "c")]
    svg = read(draw_schema(schema(list("abcd"), ways), {"a": 5}))
    assert len(svg.findall("g/path")) == len(ways)
    assert len(svg.findall("g/rect")) == 4


def test_parents_stand_left_of_their_children(shop) -> None:
    """Layers follow the longest way from a root."""
    layers = [list(layer) for layer in lay_out(shop.metadata).layers]
    assert layers == [["customers"], ["orders"], ["reviews"]]


def test_lines_over_several_layers_go_round_tables() -> None:
    """A line from the first layer to the third has a place of its own in the second."""
    metadata = schema(list("abc"), [("b", "a"), ("c", "b"), ("c", "a")])
    assert [len(layer) for layer in lay_out(metadata).layers] == [1, 2, 1]


def test_many_children_of_one_parent_make_several_layers() -> None:
    """Forty tables are no tower, and every child stays right of its parent."""
    names = [f"t{i}" for i in range(40)]
    layout = lay_out(schema(names, [(name, "t0") for name in names[1:]]))
    tables = [[node for node in layer if node in names] for layer in layout.layers]
    assert max(map(len, tables)) <= 9
    assert tables[0] == ["t0"]
    assert sorted(name for layer in tables for name in layer) == sorted(names)


def test_the_drawing_of_no_tables_is_empty() -> None:
    """An empty schema is drawn without a box."""
    assert read(draw_schema(Metadata({}), {})).findall("g") == []


def test_a_distribution_without_labels_is_drawn_without_values() -> None:
    """Its tips tell shares only."""
    view = ColumnView("c", "number", 100, (0.5, 0.5), (0.4, 0.6), widths=(0.5, 0.5))
    text = "|".join(read(draw_column(view)).itertext())
    assert text == "real 50.0%, synthetic 40.0%|real 50.0%, synthetic 60.0%"


def test_a_distribution_has_a_curve_for_each_side() -> None:
    """Real, synthetic, and the holdout where there is one."""
    view = ColumnView("c", "number", 9, (0.5, 0.5), (0.4, 0.6), (1.0, 0.0), 9, (0.5, 0.5))
    styles = [path.get("class") for path in read(draw_column(view)).findall("path")]
    assert styles == ["real", "holdout-line", "synthetic-line"]


def test_no_change_is_drawn_as_none() -> None:
    """A line through equal scores is level."""
    points = read(draw_history([0.9, 0.9, 0.9])).find("polyline").get("points").split()
    assert len({point.split(",")[1] for point in points}) == 1


def pairs(columns: int, seed: int = 0) -> PairView:
    """Associations drawn at random, one of which cannot be told."""
    rng = np.random.default_rng(seed)
    sides = [rng.random((columns, columns)) for _ in range(2)]
    for side in sides:
        side[0, 1] = side[1, 0] = np.nan
    real, synthetic = (tuple(tuple(row) for row in side.tolist()) for side in sides)
    return PairView(tuple(f"c{i}" for i in range(columns)), real, synthetic)


def test_few_columns_have_a_cell_and_a_tip_for_each_pair() -> None:
    """Three panels, each with all cells; those that cannot be told are marked."""
    for panel in draw_heatmaps(pairs(4)):
        svg = read(panel.svg)
        assert len(svg.findall("rect/title")) == 16
        assert len(svg.findall("circle")) == 2


def test_many_columns_are_one_picture() -> None:
    """A hundred columns are a small image, every row of which has a tip."""
    for panel in draw_heatmaps(pairs(100)):
        svg = read(panel.svg)
        assert len(svg.findall("image")) == 1
        assert len(svg.findall("rect/title")) == 100
        assert len(panel.svg) < 60_000


@pytest.mark.parametrize("columns", [2, MOST_CELLS, MOST_CELLS + 1, 100])
def test_heat_maps_fit_side_by_side(columns: int) -> None:
    """Three panels are no wider than the page."""
    panels = draw_heatmaps(pairs(columns))
    assert sum(float(read(panel.svg).get("width")) for panel in panels) + 2 * 14 <= 1040


def test_the_largest_changes_come_first() -> None:
    """Pairs are named once, and small changes not at all."""
    real = ((1.0, 0.5, 0.2), (0.5, 1.0, 0.3), (0.2, 0.3, 1.0))
    synthetic = ((1.0, 0.1, 0.25), (0.1, 1.0, 0.9), (0.25, 0.9, 1.0))
    changes = largest_changes(PairView(("a", "b", "c"), real, synthetic))
    assert [change.pair for change in changes] == ["b ~ c", "a ~ b"]


def test_a_picture_holds_its_cells() -> None:
    """The pixels read back are the cells that were drawn."""
    cells = np.arange(6, dtype=np.uint8).reshape(2, 3)
    uri = cells_as_data_uri(cells, [(i, i, i, 255) for i in range(6)])
    png = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    start = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[start - 4 : start])
    lines = np.frombuffer(zlib.decompress(png[start + 4 : start + 4 + length]), np.uint8)
    assert lines.reshape(2, 4)[:, 1:].tolist() == cells.tolist()
