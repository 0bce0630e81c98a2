"""The secret of the pseudonyms: made once, private, and told by nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prefect_synth.tasks.pseudonyms import key_print, pseudonym_key


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """Thirty-two bytes that stay what they are, for the owner's eyes only."""
    file = tmp_path / "pseudonyms.key"
    first, again = pseudonym_key(file), pseudonym_key(file)
    assert (len(first), again, file.stat().st_mode & 0o777) == (32, first, 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_who_comes_second_takes_the_same_key(tmp_path: Path) -> None:
    """Tasks that start together, threads of one process, agree: each of fifty times."""
    files = [tmp_path / f"{number}.key" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        for file in files:
            assert set(pool.map(pseudonym_key, [file] * 32)) == {file.read_bytes()}
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_its_print_changes_with_it(tmp_path: Path) -> None:
    """A new key is another print, in which nothing of the key can be read."""
    prints = [key_print(tmp_path / name) for name in ("a", "b", "a")]
    assert (prints[0] == prints[2], prints[0] == prints[1]) == (True, False)
    assert prints[0] not in (tmp_path / "a").read_bytes().hex()
