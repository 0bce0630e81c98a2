"""Free text of common words and shapes that copies no sentence."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.layout import RARE
from prefect_synth.synth.generation import free_text
from prefect_synth.synth.generation.free_text import TEXT_MAKERS, WordGenerator, fit_text
from prefect_synth.synth.generation.tokens import masks_of, render

CITIES = ["Oslo", "Rome", "Lima", "Cairo", "Kyiv"]


@pytest.fixture(scope="module")
def reviews() -> list[str]:
    """Sentences of a small language, each with a number, a code and a rare name in it."""
    rng = np.random.default_rng(2)
    adverbs, moods = ["very", "not", "rather"], ["good", "late", "cheap", "kind"]
    return [
        f"The trip to {rng.choice(CITIES)} was {rng.choice(adverbs)} {rng.choice(moods)}, said "
        f"Qx{'abcdefghij'[i % 10]}zz{i} on day {rng.integers(10, 99)} of AB-{i:04d}."
        for i in range(1500)
    ]


def made(texts: list[str], count: int = 1500, **options: object) -> list[str]:
    """Texts like the given ones."""
    options = {"unique": False, **options}
    generator = fit_text(pa.array(texts), None, **options)
    return generator.generate(count, np.random.default_rng(1)).to_pylist()


def runs(texts: list[str], length: int) -> set[tuple[str, ...]]:
    """All runs of so many words."""
    words = [t.split() for t in texts]
    return {tuple(w[i : i + length]) for w in words for i in range(len(w) - length + 1)}


def test_no_run_of_six_words_is_copied(reviews):
    """No six words in a row are those of a real text, though every word may be."""
    assert not runs(made(reviews), 6) & runs(reviews, 6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=6, max_size=12), st.integers(1, 40))
def test_not_even_in_a_language_of_four_words(words, times):
    """Where every pair of words is seen, a strange word breaks the run."""
    real = [" ".join(words)] * times + ["a b c d a c b d b a d c a a b b c c d d"] * 5
    assert not runs(made(real, 200), 6) & runs(real, 6)


def test_not_even_of_texts_that_were_not_looked_at(reviews, monkeypatch):
    """Of a long column some texts teach the words, and none is copied."""
    monkeypatch.setattr(free_text, "_MOST_ROWS", 200)
    assert not runs(made(reviews), 6) & runs(reviews, 6)


def test_words_and_shapes_are_those_of_the_real_texts(reviews):
    """Most words are known ones; codes and numbers have their form; lengths are alike."""
    texts = made(reviews)
    known = {w for t in reviews for w in t.split()}
    share = np.mean([w in known for t in texts for w in t.split()])
    assert share > 0.6
    assert sum(bool(re.search(r"\bAB-\d{4}\.|[A-Z]{2}-\d{4}\.", t)) for t in texts) > 500
    assert sum(t.startswith(("The ", "The")) for t in texts) > 1200
    assert np.mean([len(t.split()) for t in texts]) == pytest.approx(14, abs=1)


def test_rare_words_are_in_no_model(reviews):
    """A word of fewer than five rows is not stored, nor is a pair of words."""
    generator = fit_text(pa.array([*reviews, *["seldom heard"] * (RARE - 1)]), None, unique=False)
    assert isinstance(generator, WordGenerator)
    stored = set(generator.words.to_pylist())
    assert not {w for w in stored if w.startswith("Qx") or w in ("seldom", "heard")}
    assert set(CITIES) <= stored


def test_words_of_one_person_are_rare():
    """A word in fifty rows of one unit is one unit's word."""
    texts, units = pa.array(["secret plan"] * 50 + ["open plan"] * 50), np.r_[[0] * 50, 1:51]
    generator = fit_text(texts, None, unique=False, units=units)
    assert generator.words.to_pylist() == ["open", "plan"]


def test_personal_texts_teach_no_word():
    """The maker of shapes keeps lengths and letter case alone."""
    texts = made(["Jane Doe"] * 100, 100, maker="shapes")
    assert all(re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+", t) for t in texts)
    assert "Jane Doe" not in texts


def test_lines_stay_lines():
    """Line breaks come back as line breaks."""
    texts = made(["Dear all,\nmany thanks\nYours"] * 30, 50)
    assert sum("\n" in t for t in texts) > 25
    assert not any(" \n" in t or "\n " in t for t in texts)


def test_scripts_without_case_are_spelled_in_their_letters():
    """Rare words of another script are made of its common letters."""
    rng = np.random.default_rng(0)
    real = ["".join(rng.choice(list("春夏秋冬山川花鳥風月"), 6)) for _ in range(300)]
    texts = made(real, 100)
    assert set("".join(texts)) <= set("春夏秋冬山川花鳥風月")
    assert len(set(texts) & set(real)) < 5


@pytest.mark.parametrize("word", ["Hello,", "AB-1234", "$9.99", "x", "(ÉTÉ)", "...", "日本"])
def test_a_word_of_a_mask_has_the_mask(word):
    """What is spelled for a mask has letters, digits and signs at the same places."""
    (mask,) = masks_of(pa.array([word])).to_pylist()
    for text in render(mask, 20, "日本山", np.random.default_rng(0)):
        (again,) = masks_of(pa.array([text])).to_pylist()
        assert re.sub(r"[aA]+", "a", again) == re.sub(r"[aA]+", "a", mask)


def test_unique_texts_differ_and_fit():
    """Where a key says so no text comes twice, and none is too long."""
    generator = fit_text(pa.array(["ab cd"] * 20), 9, unique=True)
    texts = generator.generate(3000, np.random.default_rng(0)).to_pylist()
    assert len(set(texts)) == 3000
    assert max(map(len, texts)) <= 9


def test_makers_can_be_added(monkeypatch):
    """A maker of one's own is taken by its name."""
    monkeypatch.setitem(
        TEXT_MAKERS, "mine", lambda texts, longest, unique, units: free_text.fit_shapes(
            texts, 3, unique, units)
    )  # fmt: skip
    assert max(map(len, made(["long texts"] * 9, 20, maker="mine"))) <= 3


@pytest.mark.parametrize("texts", [[], [""], ["", " "], ["a"]])
def test_texts_without_words(texts):
    """Few, empty and blank texts can be learned from."""
    values = pa.array(texts, pa.string())
    assert len(fit_text(values, None, unique=False).generate(5, np.random.default_rng(0))) == 5
