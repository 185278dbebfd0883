"""Stratified splits and folds: every index once, every class on both sides, reproducible by the seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verydeep.data.split import extended_split, folds, grouped_split, stratified_split
from verydeep.errors import DataError


@given(
    labels=st.lists(st.integers(0, 5), min_size=2, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_every_index_occurs_once_and_every_class_is_on_both_sides(labels, fraction, seed):
    labels = torch.tensor(labels)
    sizes = labels.bincount(minlength=6)
    if int(sizes.max()) < 2:
        return
    train, val = stratified_split(labels, fraction, seed)
    assert torch.cat([train, val]).sort().values.tolist() == list(range(len(labels)))
    assert train.equal(train.sort().values) and val.equal(val.sort().values)
    held_out = labels[val].bincount(minlength=6)
    for size, held in zip(sizes.tolist(), held_out.tolist(), strict=True):
        assert 1 <= held <= size - 1 if size >= 2 else held == 0
        assert abs(held - fraction * size) <= 1 or held in (1, size - 1)


def test_fractions_are_rounded_by_largest_remainder():
    labels = torch.tensor([0] * 26 + [1] * 23 + [2] * 21)  # a tenth: 2.6, 2.3, 2.1, and 7 in all
    _, val = stratified_split(labels, 0.1, seed=0)
    assert labels[val].bincount().tolist() == [3, 2, 2]


@pytest.mark.parametrize(("count", "fraction", "held_out"), [(600, 0.1, 60), (100, 0.29, 29), (8, 0.5, 4)])
def test_the_number_of_held_out_images_is_the_fraction(count, fraction, held_out):
    _, val = stratified_split(torch.zeros(count, dtype=torch.int64), fraction, seed=1)
    assert len(val) == held_out


def test_a_seed_chooses_the_same_images_whatever_the_global_random_state():
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
        ([0, 0], 0.0, "held-out fraction is 0.0"),
        ([0, 0], 1.0, "held-out fraction is 1.0"),
        ([0, -1], 0.5, "a label is -1"),
        ([0, 1, 2], 0.5, "no class has two images"),
        ([], 0.5, "none of the 0 images"),
    ],
)
def test_impossible_splits_are_errors(labels, fraction, words):
    with pytest.raises(DataError, match=words):
        stratified_split(torch.tensor(labels, dtype=torch.int64), fraction, seed=0)


def test_folds_divide_every_class_evenly():
    labels = torch.tensor([0] * 50 + [1] * 7 + [2] * 3)
    fold_of = folds(labels, None, 5, seed=0)
    assert fold_of.bincount().tolist() == [12] * 5
    assert [int((fold_of[labels == 0] == fold).sum()) for fold in range(5)] == [10] * 5
    assert sorted(fold_of[labels == 2].tolist()) == sorted(set(fold_of[labels == 2].tolist()))


def test_grouped_folds_divide_no_group_and_spread_a_rare_class():
    labels = torch.tensor([0, 0, 0, 0, 1] * 20)
    groups = tuple(f"photo {i // 5}" for i in range(100))
    fold_of = folds(labels, groups, 5, seed=0)
    assert all(len(set(fold_of[5 * photo : 5 * photo + 5].tolist())) == 1 for photo in range(20))
    assert fold_of.bincount().tolist() == [20] * 5
    assert torch.equal(fold_of, folds(labels, groups, 5, seed=0))
    assert not torch.equal(fold_of, folds(labels, groups, 5, seed=1))


def test_a_grouped_split_holds_out_about_its_fraction():
    labels = torch.arange(300) % 3
    groups = tuple(str(i // 7) for i in range(300))
    train, held_out = grouped_split(labels, groups, 0.2, seed=3)
    assert sorted([*train.tolist(), *held_out.tolist()]) == list(range(300))
    assert not {groups[i] for i in train} & {groups[i] for i in held_out}
    assert 54 <= len(held_out) <= 66


def test_a_class_in_one_group_is_in_the_training_images():
    labels = torch.tensor([0, 0, 1, 1, 1, 1])
    train, _ = grouped_split(labels, ("a", "a", "b", "c", "d", "e"), 0.25, seed=0)
    assert {0, 1} <= set(train.tolist())


def test_fewer_groups_than_folds_is_an_error():
    with pytest.raises(DataError, match="6 images are in 2 groups"):
        folds(torch.zeros(6, dtype=torch.int64), tuple("aaabbb"), 5, seed=0)
    with pytest.raises(DataError, match="3 images are too few for 5 folds"):
        folds(torch.zeros(3, dtype=torch.int64), None, 5, seed=0)


def test_an_extended_split_keeps_sides_and_reaches_the_fraction_of_each_class():
    labels = torch.tensor([0] * 50 + [1] * 50)
    sides = torch.full((100,), -1)
    sides[:20], sides[50:55], sides[55:60] = 0, 0, 1
    train, held_out = extended_split(labels, None, sides, 0.2, seed=3)
    assert torch.cat([train, held_out]).sort().values.tolist() == list(range(100))
    assert labels[held_out].bincount().tolist() == [10, 10]
    assert not set(range(20)) & set(held_out.tolist()) and set(range(55, 60)) <= set(held_out.tolist())
    again = extended_split(labels, None, sides, 0.2, seed=3)
    assert held_out.equal(again[1]) and not held_out.equal(
        extended_split(labels, None, sides, 0.2, seed=4)[1]
    )


def test_an_extended_split_without_new_images_is_the_split():
    train, held_out = extended_split(torch.tensor([0, 1, 0]), None, torch.tensor([0, 1, 0]), 0.2, seed=0)
    assert (train.tolist(), held_out.tolist()) == ([0, 2], [1])


def test_groups_that_are_too_large_to_be_held_out_are_refused():
    groups = ("a",) * 10 + ("b",) * 10
    labels = torch.arange(20) % 2
    with pytest.raises(DataError, match=r"20 images are in 2 groups so large that no group is near 20%"):
        grouped_split(labels, groups, 0.2, 0)
    kept, held_out = grouped_split(labels, groups, 0.4, 0)
    assert len(kept) == len(held_out) == 10
