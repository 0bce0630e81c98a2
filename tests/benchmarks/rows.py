"""The acceptance table, row by row."""

from __future__ import annotations

from collections.abc import Mapping

import bounded
import halves
import structure
from marks import COPULA, ENGINE, HMA, Mark, Row, down, up

PRIVACY = (
    Mark("nearer to training", 0.02, None, True, over=True),
    Mark("excess copies", 0.0005, None, True, over=True),
)
FLIGHTS = ("flights.arr_delay", "flights.distance")

ROWS: Mapping[str, Row] = {
    row.name: row
    for row in (
        Row(
            "adult", "`adult`, `auto`", halves.measure,
            (
                down("cpu s", 4, 1.5, (ENGINE, 83)),
                up("quality", 0.988, 0.993, (ENGINE, 0.978)),
                down("c2st", 0.53, 0.515, (ENGINE, 0.593)),
                up("tstr income_per_year", 0.910, 0.914, (ENGINE, 0.910)),
                down("nearer to training", 0.528, 0.518, (ENGINE, 0.514)),
                PRIVACY[1],
            ),
            "adult", targets=("adult.income_per_year",),
        ),
        Row(
            "adult-fast", "`adult`, `fast`", halves.measure,
            (
                down("cpu s", 2, 1, (COPULA, 12)),
                up("quality", 0.938, 0.95, (COPULA, 0.821)),
                down("c2st", 0.92, 0.85, (COPULA, 0.9995)),
                up("tstr income_per_year", peer=(COPULA, 0.824)),
                *PRIVACY,
            ),
            "adult", "fast", targets=("adult.income_per_year",),
        ),
        Row(
            "nyc20k-keep-fast", "`nyc20k`, airlines and airports kept, `fast`", halves.measure,
            (
                down("cpu s", 4, 2, (HMA, 282)),
                up("quality", 0.92, 0.93, (HMA, 0.682)),
                *PRIVACY,
            ),
            "nyc20k", "fast", ("airlines", "airports"), FLIGHTS,
        ),
        Row(
            "nyc20k-keep", "`nyc20k`, airlines and airports kept, `auto`", halves.measure,
            (
                down("cpu s", 10, 4, (HMA, 282)),
                up("quality", 0.965, 0.98, (HMA, 0.682)),
                up("intertable trends", 0.955, 0.972, (HMA, 0.430)),
                down("c2st flights", 0.60, 0.53, (HMA, 0.9995)),
                down("c2st child", 0.58, 0.52, (HMA, 0.966)),
                down("c2st parent", 0.60, 0.52, (HMA, 0.995)),
                up("tstr arr_delay", 0.87, 0.90, (HMA, 0.715)),
                up("tstr distance", 0.99, 0.999, (HMA, 0.739)),
                up("identities", 1.0, 1.0, (HMA, 0.0001)),
                *PRIVACY,
            ),
            "nyc20k", "auto", ("airlines", "airports"), FLIGHTS,
        ),
        Row(
            "nyc20k-generated", "`nyc20k`, every table generated, without the `name` columns",
            halves.measure,
            (
                down("cpu s", 12, 5, (HMA, 282)),
                up("quality", 0.93, 0.97, (HMA, 0.682)),
                down("c2st flights", 0.65, 0.55, (HMA, 0.9995)),
                down("c2st child", 0.58, 0.52, (HMA, 0.966)),
                down("c2st parent", 0.60, 0.52, (HMA, 0.995)),
                up("intertable trends", peer=(HMA, 0.43)),
                up("tstr arr_delay", peer=(HMA, 0.715)),
                up("tstr distance", peer=(HMA, 0.739)),
                up("identities", peer=(HMA, 0.0001)),
                *PRIVACY,
            ),
            "nyc20k", targets=FLIGHTS, without=("airlines.name", "airports.name"),
        ),
        Row(
            "cj200", "`cj200`, 7 tables, depth 3, `auto`", halves.measure,
            (
                down("cpu s", 60, 25),
                up("quality", 0.80, 0.835),
                down("c2st child", 0.75, 0.549),
                up("children KS", 0.90, 0.905),
                *PRIVACY,
            ),
            "cj200", targets=("transactions.sales_value",),
        ),
        Row(
            "completejourney", "`completejourney`, all 1.46 M transactions", halves.measure_whole,
            (down("wall s", 600, 200), down("peak GB", 4, 2), down("cpu s")),
            "completejourney",
        ),
        Row(
            "databases", "`chinook`, `sakila` into PostgreSQL with all constraints on",
            structure.measure_databases, (down("tables rejected", 0), up("tables loaded")),
        ),
        Row(
            "invariants", "every data set of `shared/data` and every half A",
            structure.measure_invariants,
            (
                down("orphans", 0), down("repeated keys", 0), down("schema differences", 0),
                down("rows that break rules", 0),
            ),
        ),
        Row(
            "canaries", "canaries planted in each column type", structure.measure_canaries,
            (down("in the output", 0), down("in the model", 0)),
        ),
        Row(
            "planted", "planted structure between siblings: largest deviation",
            structure.measure_planted,
            (
                down("same category", 0.20, 0.10),
                down("ICC of log amount", 0.20, 0.10),
                down("count-mean correlation", 0.20, 0.10),
                down("childless", 0.20, 0.10),
                down("tail of counts", 0.20, 0.10),
            ),
        ),
        Row(
            "chain", "chain of 12 tables, depth 6, 15 columns each", bounded.measure_chain,
            (
                down("wall s", 120),
                down("parameters per column, columns doubled", 1.3),
                down("cpu s"),
                down("peak GB"),
            ),
        ),
        Row(
            "forty", "40 tables", bounded.measure_forty, (down("wall s", 120), down("cpu s")),
        ),
        Row(
            "shards", "1, 2, 4, 16 shards; 1 and 4 workers; two processes", bounded.measure_shards,
            (down("tables that differ", 0),),
        ),
        Row(
            "ten-million", "10 million child rows sampled", bounded.measure_ten_million,
            (
                down("peak memory of the setting", 1.2),
                down("time per row against 1 million", 1.2),
                down("peak GB"),
                down("cpu s per million rows"),
            ),
        ),
    )
}  # fmt: skip
