"""Which optimizer takes which parameters, and what a Muon step is."""

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.models.build import build
from verydeep.train.muon import Muon, orthogonalize
from verydeep.train.optimizer import OptimizerConfig, build_optimizers, set_rate

NET = Architecture.from_string("8 M 16 | gap 12", norm="batch", input=(1, 8, 8), classes=3, dropout=0.0)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
def test_every_parameter_belongs_to_one_group(name):
    model = build(NET)
    optimizers = build_optimizers(model, OptimizerConfig(name=name))
    taken = [id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    assert sorted(taken) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
def test_biases_and_norms_do_not_decay(name):
    for optimizer in build_optimizers(build(NET), OptimizerConfig(name=name, weight_decay=0.1)):
        for group in optimizer.param_groups:
            decays = {p.ndim > 1 for p in group["params"]}
            assert decays == {group["weight_decay"] == 0.1}


def test_muon_takes_convolutions_and_hidden_layers():
    model = build(NET)
    muon, sgd = build_optimizers(model, OptimizerConfig(name="muon", lr=0.2, sgd_lr=0.3))
    assert isinstance(muon, Muon)
    taken = [p for group in muon.param_groups for p in group["params"]]
    assert [p.shape for p in taken] == [(8, 1, 3, 3), (16, 8, 3, 3), (12, 16)]
    left = [p for group in sgd.param_groups for p in group["params"]]
    assert (3, 12) in [p.shape for p in left]  # the classes
    assert [group["lr"] for group in muon.param_groups] == [0.2]
    assert {group["lr"] for group in sgd.param_groups} == {0.3}


def test_set_rate_is_a_factor_of_the_peak():
    optimizers = build_optimizers(build(NET), OptimizerConfig(name="muon", lr=0.2, sgd_lr=0.4))
    set_rate(optimizers, 0.5)
    set_rate(optimizers, 0.5)
    assert [group["lr"] for o in optimizers for group in o.param_groups] == [0.1, 0.2, 0.2]


def test_muon_takes_a_closure_as_torchs_optimizers_do():
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
    optimizers = build_optimizers(model, OptimizerConfig(name=name, lr=lr))
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
