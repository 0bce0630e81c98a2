"""Code under test commits as it likes, and afterwards the database is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from prefect_synth.tasks.databases.errors import TargetUrlError
from prefect_synth.tasks.testing.isolation import undone


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


HOW_MANY = select(func.count()).select_from(Person)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind with one person in it; afterwards it still has that one."""
    if request.param == "sqlite":
        address = plain = f"sqlite:///{tmp_path / 'a database.db'}"
    else:
        plain = request.getfixturevalue("postgres_database")
        address = plain.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(address)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Person(id=1, name="Ann"))
        session.commit()
    engine.dispose()
    yield plain
    with engine.connect() as connection:
        assert connection.execute(select(Person.id, Person.name)).all() == [(1, "Ann")]
    engine.dispose()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine whose every change is undone."""
    with undone(url) as opened:
        yield opened


def test_a_session_may_commit(engine: Engine) -> None:
    """What one session committed the next one sees; the database never does."""
    with Session(engine) as session:
        session.add(Person(id=2, name="Bob"))
        session.commit()
    with Session(engine) as session:
        assert session.scalar(HOW_MANY) == 2


def test_a_roll_back_goes_to_the_last_commit(engine: Engine) -> None:
    """As it would in life: what was committed stays, what was not is gone."""
    with Session(engine) as session:
        session.add(Person(id=2, name="Bob"))
        session.commit()
        session.add(Person(id=3, name="Cy"))
        session.flush()
        session.rollback()
        assert session.scalar(HOW_MANY) == 2


def test_a_block_that_fails_leaves_nothing(engine: Engine) -> None:
    """`engine.begin()` commits at its end, or rolls back where it is left by an error."""
    with engine.begin() as connection:
        connection.execute(insert(Person).values(id=2, name="Bob"))
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:  # noqa: PT012
        connection.execute(insert(Person).values(id=3, name="Cy"))
        raise ZeroDivisionError
    with engine.connect() as connection:
        assert connection.scalar(HOW_MANY) == 2


def test_connections_may_commit_and_nest(engine: Engine) -> None:
    """Commit as you go, with savepoints of the code's own."""
    with engine.connect() as connection:
        connection.execute(insert(Person).values(id=2, name="Bob"))
        with connection.begin_nested() as inner:
            connection.execute(insert(Person).values(id=3, name="Cy"))
            inner.rollback()
        connection.commit()
        connection.execute(insert(Person).values(id=4, name="Di"))
    with engine.connect() as connection:  # the last one was not committed
        assert connection.scalar(HOW_MANY) == 2


def test_a_refused_row_can_be_survived(engine: Engine) -> None:
    """A broken key is an error as ever, and the work before it that was committed is there."""
    with Session(engine) as session:
        session.add(Person(id=2, name="Bob"))
        session.commit()
        session.add(Person(id=1, name="another Ann"))
        with pytest.raises(IntegrityError):
            session.commit()
        session.rollback()
        session.add(Person(id=3, name="Cy"))
        session.commit()
        assert session.scalar(HOW_MANY) == 3


def test_tables_may_be_made_and_dropped(engine: Engine) -> None:
    """Both kinds of database undo these too."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE more (x INTEGER)"))
        connection.execute(text("DROP TABLE people"))


def test_constraints_that_wait_for_the_commit_are_checked_by_it(postgres_database: str) -> None:
    """A key that PostgreSQL checks at the end of a transaction is not forgotten."""
    with undone(postgres_database) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
            connection.execute(
                text(
                    "CREATE TABLE children (parent_id INTEGER REFERENCES parents (id) "
                    "DEFERRABLE INITIALLY DEFERRED)"
                )
            )
        with engine.begin() as connection:  # the child first: fine at the end
            connection.execute(text("INSERT INTO children VALUES (1)"))
            connection.execute(text("INSERT INTO parents VALUES (1)"))
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text("INSERT INTO children VALUES (2)"))
        with engine.begin() as connection:  # they are deferred still
            connection.execute(text("INSERT INTO children VALUES (3)"))
            connection.execute(text("INSERT INTO parents VALUES (3)"))
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM children")) == 2


def test_foreign_keys_hold_in_sqlite(tmp_path: Path) -> None:
    """SQLite checks them only where it is told to."""
    with undone(f"sqlite:///{tmp_path / 'x.db'}") as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE children (parent_id REFERENCES parents (id))"))
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            connection.execute(text("INSERT INTO children VALUES (1)"))


def test_a_lost_server_is_no_second_error(postgres_database: str) -> None:
    """Where the server hung up, the test tells so itself; undoing it has nothing to do."""
    with undone(postgres_database) as engine:
        import psycopg

        with engine.connect() as connection:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            with psycopg.connect(postgres_database, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
            with pytest.raises(Exception, match=r"terminat|closed"):
                connection.execute(text("SELECT 1"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("duckdb:////x.duckdb", "no savepoints.*synth_db_copy"),
        ("postgresql+psycopg_async://ann:hidden@host/db", "asynchronous.*synth_db_copy"),
        ("postgresql+pg8000://ann:hidden@host/db", "needs the module 'pg8000'"),
    ],
)
def test_what_cannot_be_undone_is_told(url: str, said: str) -> None:
    """A copy for each test is the way; no password is repeated."""
    with pytest.raises(TargetUrlError, match=said) as refused, undone(url):
        pass
    assert "hidden" not in str(refused.value)
