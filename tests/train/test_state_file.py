"""States are written while training goes on: what is written is the state at the time of the call."""

import pytest
import torch

from verydeep.train.state_file import load_state, state_writer

from .shapes import PLAIN, begin, bits, network, same


def test_later_steps_do_not_change_what_is_written(tmp_path):
    state, resumed = begin(PLAIN), begin(PLAIN, network(seed=1))
    expected = bits(state.model)
    with state_writer(tmp_path / "state.pt") as writer:
        writer.write(state)
        with torch.no_grad():
            for parameter in state.model.parameters():
                parameter.zero_()
    load_state(resumed, tmp_path / "state.pt")
    assert same(bits(resumed.model), expected)


def test_a_full_disk_is_met_by_the_next_call(tmp_path):
    state = begin(PLAIN)
    (tmp_path / "file").touch()
    with state_writer(tmp_path / "file" / "state.pt") as writer:
        writer.write(state)
        with pytest.raises(OSError, match="file"):
            writer.write(state)


def test_the_last_state_is_complete_where_an_error_ends_training(tmp_path):
    state = begin(PLAIN)
    with pytest.raises(KeyboardInterrupt), state_writer(tmp_path / "state.pt") as writer:
        writer.write(state)
        raise KeyboardInterrupt
    load_state(begin(PLAIN), tmp_path / "state.pt")
