"""Stratified splits: every index once, every class its share, the same images for a seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verydeep.data.split import folds, grouped_split, stratified_split
from verydeep.errors import DataError


@given(
    labels=st.lists(st.integers(0, 5), min_size=2, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_every_index_comes_once_and_every_class_is_on_both_sides(labels, fraction, seed):
    labels = torch.tensor(labels)
    sizes = labels.bincount(minlength=6)
    if int(sizes.max()) < 2:
        return
    train, val = stratified_split(labels, fraction, seed)
    assert torch.cat([train, val]).sort().values.tolist() == list(range(len(labels)))
    assert train.equal(train.sort().values) and val.equal(val.sort().values)
    held_back = labels[val].bincount(minlength=6)
    for size, held in zip(sizes.tolist(), held_back.tolist(), strict=True):
        assert 1 <= held <= size - 1 if size >= 2 else held == 0
        assert abs(held - fraction * size) <= 1 or held in (1, size - 1)


def test_shares_are_rounded_by_largest_remainder():
    labels = torch.tensor([0] * 26 + [1] * 23 + [2] * 21)  # a tenth: 2.6, 2.3, 2.1, and 7 in all
    _, val = stratified_split(labels, 0.1, seed=0)
    assert labels[val].bincount().tolist() == [3, 2, 2]


@pytest.mark.parametrize(("count", "fraction", "held_back"), [(600, 0.1, 60), (100, 0.29, 29), (8, 0.5, 4)])
def test_the_number_held_back_is_the_share(count, fraction, held_back):
    _, val = stratified_split(torch.zeros(count, dtype=torch.int64), fraction, seed=1)
    assert len(val) == held_back


def test_a_seed_picks_the_same_images_whatever_the_global_state():
    labels = torch.arange(100) % 4
    torch.manual_seed(1)
    first = stratified_split(labels, 0.2, seed=7)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = stratified_split(labels, 0.2, seed=7)
    assert torch.get_rng_state().equal(state)
    assert first[0].equal(again[0]) and first[1].equal(again[1])
    assert not first[1].equal(stratified_split(labels, 0.2, seed=8)[1])


@pytest.mark.parametrize(
    ("labels", "fraction", "words"),
    [
        ([0, 0], 0.0, "share held back is 0.0"),
        ([0, 0], 1.0, "share held back is 1.0"),
        ([0, -1], 0.5, "a label is -1"),
        ([0, 1, 2], 0.5, "no class has two"),
        ([], 0.5, "none of the 0 images"),
    ],
)
def test_impossible_wishes_are_refused(labels, fraction, words):
    with pytest.raises(DataError, match=words):
        stratified_split(torch.tensor(labels, dtype=torch.int64), fraction, seed=0)


def test_folds_share_every_class_evenly():
    labels = torch.tensor([0] * 50 + [1] * 7 + [2] * 3)
    of = folds(labels, None, 5, seed=0)
    assert of.bincount().tolist() == [12] * 5
    assert [int((of[labels == 0] == fold).sum()) for fold in range(5)] == [10] * 5
    assert sorted(of[labels == 2].tolist()) == sorted(set(of[labels == 2].tolist()))


def test_grouped_folds_cut_no_group_and_share_a_rare_class():
    labels = torch.tensor([0, 0, 0, 0, 1] * 20)
    groups = tuple(f"photo {i // 5}" for i in range(100))
    of = folds(labels, groups, 5, seed=0)
    assert all(len(set(of[5 * photo : 5 * photo + 5].tolist())) == 1 for photo in range(20))
    assert of.bincount().tolist() == [20] * 5
    assert torch.equal(of, folds(labels, groups, 5, seed=0))
    assert not torch.equal(of, folds(labels, groups, 5, seed=1))


def test_a_grouped_split_holds_back_about_its_share():
    labels = torch.arange(300) % 3
    groups = tuple(str(i // 7) for i in range(300))
    train, held_back = grouped_split(labels, groups, 0.2, seed=3)
    assert sorted([*train.tolist(), *held_back.tolist()]) == list(range(300))
    assert not {groups[i] for i in train} & {groups[i] for i in held_back}
    assert 54 <= len(held_back) <= 66


def test_a_class_in_one_group_is_trained_on():
    labels = torch.tensor([0, 0, 1, 1, 1, 1])
    train, _ = grouped_split(labels, ("a", "a", "b", "c", "d", "e"), 0.25, seed=0)
    assert {0, 1} <= set(train.tolist())


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(DataError, match="6 images are in 2 groups"):
        folds(torch.zeros(6, dtype=torch.int64), tuple("aaabbb"), 5, seed=0)
    with pytest.raises(DataError, match="3 images make no 5 folds"):
        folds(torch.zeros(3, dtype=torch.int64), None, 5, seed=0)
