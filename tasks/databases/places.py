"""Where each table of a snapshot lies in a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from prefect_synth.tasks.databases.errors import FeedRequestError
from prefect_synth.tasks.databases.plan import Place


def with_schemas(names: Sequence[str], schema: str | None, default: str) -> Mapping[str, Place]:
    """Places in a database that has schemas.

    Where more than one schema was read, a snapshot's tables are all called `schema.table`.

    Args:
        names: All tables of the snapshot.
        schema: One schema for all of them; by default each goes to its own.
        default: The schema that the connection takes for a bare name.

    Raises:
        FeedRequestError: Two tables would be one.
    """
    split = {name: _split(name, names) for name in names}
    places = {
        name: Place(schema or its_schema or default, bare)
        for name, (its_schema, bare) in split.items()
    }
    twice = [place for place, count in Counter(places.values()).items() if count > 1]
    if twice:
        both = [name for name, place in places.items() if place == twice[0]]
        raise FeedRequestError(
            f"Tables '{both[0]}' and '{both[1]}' would both be '{twice[0]}'. Leave the schema out, "
            "so that each goes to its own, or choose one of them with `tables`."
        )
    return places


def without_schemas(names: Sequence[str], schema: str | None, dialect: str) -> Mapping[str, Place]:
    """Places in a database without schemas: the bare name, or `schema_table` where it is not one.

    Raises:
        FeedRequestError: A schema is asked for.
    """
    if schema is not None:
        raise FeedRequestError(
            f"{dialect} has no schemas inside a database, got schema '{schema}'. Leave it out, or "
            "name another database in the URL."
        )
    bare = {name: _split(name, names)[1] for name in names}
    counts = Counter(bare.values())
    return {
        name: Place(None, short if counts[short] == 1 else name.replace(".", "_"))
        for name, short in bare.items()
    }


def _split(name: str, names: Sequence[str]) -> tuple[str | None, str]:
    if not all("." in other for other in names):
        return None, name
    schema, _, bare = name.partition(".")
    return schema, bare
