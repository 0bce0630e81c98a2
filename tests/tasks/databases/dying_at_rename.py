"""Feed MySQL, die between commit and RENAME: `python dying_at_rename.py SANDBOX SNAPSHOT URL`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from pymysql.connections import Connection

from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.snapshots.reading import snapshots


def die_at_rename() -> None:
    """Let this process be killed when tables with rows in them are to be renamed."""
    ask, filled = Connection.query, [False]

    def query(connection: Any, sql: Any, unbuffered: bool = False) -> int:
        said = sql if isinstance(sql, str) else sql.decode("utf-8", "replace")
        if filled[0] and said.startswith("RENAME"):
            os.kill(os.getpid(), signal.SIGKILL)
        filled[0] |= said.startswith("INSERT")
        return ask(connection, sql, unbuffered)

    setattr(Connection, "query", query)  # noqa: B010  (mypy: a method)


def main(sandbox: str, snapshot_id: str, url: str) -> Any:
    """Feed until new tables are to get their names."""
    die_at_rename()
    return feed_snapshot(snapshots(sandbox).get(snapshot_id), url)


if __name__ == "__main__":
    main(*sys.argv[1:])
