"""Recurrent networks in NumPy: what torch computes, however long they run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prefect_synth.synth.row_models.recurrent import Running, gru_of, rectified_of


def network(layers=1):
    """A torch network, and the same as arrays."""
    torch.manual_seed(0)
    module = torch.nn.GRU(3, 5, layers, batch_first=True)
    return module, gru_of(module)


def seen(sequences, steps):
    """What comes in, [steps, sequences, 3]."""
    return np.random.default_rng(1).normal(size=(steps, sequences, 3)).astype(np.float32)


@pytest.mark.parametrize("layers", [1, 3])
def test_steps_are_those_of_torch(layers):
    """State by state, as long as nothing is forgotten."""
    module, arrays = network(layers)
    inputs, running = seen(4, 12), Running(arrays, 4, memory=6)
    made = [running.step(np.arange(4), now) for now in inputs]
    with torch.no_grad():
        expected = module(torch.as_tensor(inputs).transpose(0, 1))[0].numpy()
    assert np.allclose(np.stack(made, 1), expected, atol=1e-6)


def test_what_is_long_past_is_forgotten():
    """States come from the last steps only, of which there are never more than twice as many."""
    module, arrays = network()
    inputs, running = seen(3, 23), Running(arrays, 3, memory=4)
    made = [running.step(np.arange(3), now) for now in inputs]
    for step, reach in ((7, 8), (8, 5), (11, 8), (12, 5), (22, 7)):
        window = torch.as_tensor(inputs[step - reach + 1 : step + 1]).transpose(0, 1)
        with torch.no_grad():
            expected = module(window)[0][:, -1].numpy()
        assert np.allclose(made[step], expected, atol=1e-6)


def test_sequences_that_end_leave_the_others_alone():
    """A sequence runs on as it would by itself."""
    _, arrays = network()
    inputs = seen(3, 20)
    alone, together = Running(arrays, 3, memory=4), Running(arrays, 3, memory=4)
    for step, now in enumerate(inputs):
        some = np.array([0, 2]) if step < 9 else np.array([2])
        state = together.step(some, now[some])
        only = alone.step(np.array([2]), now[[2]])
        assert np.allclose(state[-1], only[0], atol=1e-6)


def test_layers_are_those_of_torch():
    """Linear layers with a rectifier between them."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 7), torch.nn.ReLU(), torch.nn.Linear(7, 2))
    given = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.as_tensor(given)).numpy()
    assert np.allclose(rectified_of(list(module)[::2])(given), expected, atol=1e-6)
