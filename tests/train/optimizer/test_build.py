"""Which optimizer has which parameters at which rate, and what a Muon step is."""

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.models.build import build
from verydeep.models.stages import split_at_stage
from verydeep.train.optimizer.build import build_optimizers, set_rate
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.muon import Muon, orthogonalize

NET = Architecture.from_string("8 M 16 | gap 12", norm="batch", input=(1, 8, 8), classes=3, dropout=0.0)


def part_of(model):
    """All stages and the head, as training takes them."""
    return split_at_stage(model, None)[1]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
@pytest.mark.parametrize("stage_lr_decay", [1.0, 0.5])
def test_every_parameter_is_in_one_group(name, stage_lr_decay):
    model = build(NET)
    optimizers = build_optimizers(part_of(model), OptimizerConfig(name=name, stage_lr_decay=stage_lr_decay))
    ids = [id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
def test_biases_and_norms_have_no_weight_decay(name):
    for optimizer in build_optimizers(part_of(build(NET)), OptimizerConfig(name=name, weight_decay=0.1)):
        for group in optimizer.param_groups:
            decays = {p.ndim > 1 for p in group["params"]}
            assert decays == {group["weight_decay"] == 0.1}


def test_muon_has_convolutions_and_hidden_layers():
    model = build(NET)
    muon, sgd = build_optimizers(part_of(model), OptimizerConfig(name="muon", lr=0.2, sgd_lr=0.3))
    assert isinstance(muon, Muon)
    weights = [p for group in muon.param_groups for p in group["params"]]
    assert [p.shape for p in weights] == [(8, 1, 3, 3), (16, 8, 3, 3), (12, 16)]
    others = [p for group in sgd.param_groups for p in group["params"]]
    assert (3, 12) in [p.shape for p in others]  # the last layer
    assert [group["lr"] for group in muon.param_groups] == [0.2]
    assert {group["lr"] for group in sgd.param_groups} == {0.3}


def test_set_rate_is_a_factor_of_the_peak():
    optimizers = build_optimizers(part_of(build(NET)), OptimizerConfig(name="muon", lr=0.2, sgd_lr=0.4))
    set_rate(optimizers, 0.5)
    set_rate(optimizers, 0.5)
    assert [group["lr"] for o in optimizers for group in o.param_groups] == [0.1, 0.2, 0.2]


def test_muon_takes_a_closure_like_the_optimizers_of_torch():
    weight = torch.nn.Parameter(torch.randn(4, 6))
    before = weight.detach().clone()

    def closure():
        loss = weight.square().sum()
        loss.backward()
        return loss

    loss = Muon([weight], lr=0.1, momentum=0.6, weight_decay=0.0).step(closure)
    assert float(loss.detach()) == pytest.approx(float(before.square().sum()))
    assert not torch.equal(weight, before)


@pytest.mark.parametrize("shape", [(16, 16), (16, 40), (40, 16)])
def test_orthogonalize_evens_out_the_singular_values(shape):
    torch.manual_seed(0)
    before, after = torch.randn(shape), orthogonalize(torch.randn(shape))
    spread = torch.linalg.svdvals(after)
    assert after.shape == before.shape
    assert float(spread.median()) > 0.3 and float(spread.max()) < 1.5


def test_orthogonalize_of_a_small_matrix_is_that_of_a_large_one():
    torch.manual_seed(0)
    matrix = torch.randn(6, 4)
    torch.testing.assert_close(orthogonalize(1e-6 * matrix), orthogonalize(1e3 * matrix))
    assert not orthogonalize(torch.zeros(6, 4)).any()


def test_orthogonalize_keeps_the_directions():
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(6, 6))
    matrix = u @ torch.diag(torch.tensor([3.0, 2.5, 2.0, 1.5, 1.2, 1.0])) @ v
    aligned = torch.diagonal(u.T @ orthogonalize(matrix) @ v.T)
    assert (aligned > 0.5).all()


@pytest.mark.parametrize(("name", "lr"), [("sgd", 0.2), ("adam", 0.01), ("adamw", 0.01), ("muon", 0.05)])
def test_each_optimizer_lowers_the_loss(name, lr):
    torch.manual_seed(0)
    model, images, labels = build(NET), torch.randn(32, 1, 8, 8), torch.randint(3, (32,))
    optimizers = build_optimizers(part_of(model), OptimizerConfig(name=name, lr=lr))
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_rates_by_stage_hold_for_muon_and_sgd_too():
    model = build(NET)
    config = OptimizerConfig(name="muon", lr=0.2, sgd_lr=0.4, head_lr_factor=3.0, stage_lr_decay=0.5)
    muon, sgd = build_optimizers(part_of(model), config)
    rates = {id(p): g["peak_lr"] for o in (muon, sgd) for g in o.param_groups for p in g["params"]}
    modules = dict(model.named_modules())
    expected = {"features.0": 0.1, "features.4": 0.2, "classifier.0": 0.2, "classifier.3": 1.2}
    assert {name: rates[id(modules[name].weight)] for name in expected} == pytest.approx(expected)
    assert rates[id(modules["features.1"].weight)] == pytest.approx(0.2)  # batch norm of the first stage
    assert rates[id(modules["classifier.3"].bias)] == pytest.approx(1.2)


def test_muon_without_a_convolution_to_train_is_sgd_alone():
    _, head = split_at_stage(build(Architecture.from_string("8 M | gap", input=(1, 8, 8), classes=3)), 0)
    (optimizer,) = build_optimizers(head, OptimizerConfig(name="muon", sgd_lr=0.4))
    assert isinstance(optimizer, torch.optim.SGD)
    assert {group["lr"] for group in optimizer.param_groups} == {0.4}
