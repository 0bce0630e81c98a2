"""A setting of the whole process is held until the last one that needs it is done."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from prefect_synth.synth.row_models.threads import Shared, one_blas_thread


def test_the_first_sets_and_the_last_sets_back():
    """Inner and overlapping uses change nothing."""
    said: list[str] = []

    def hold():
        said.append("set")
        return lambda: said.append("set back")

    shared = Shared(hold)
    with shared:
        with shared:
            assert said == ["set"]
        assert said == ["set"]
    assert said == ["set", "set back"]
    with shared:
        pass
    assert said == ["set", "set back"] * 2


def test_products_run_on_one_thread():
    """Inside, each BLAS library has one thread; outside, as many as before."""
    assert np.ones((2, 2)).sum() == 4
    before = _blas_threads()
    with one_blas_thread:
        assert set(_blas_threads()) == {1}
    assert _blas_threads() == before


def _blas_threads() -> list[int]:
    return [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]
