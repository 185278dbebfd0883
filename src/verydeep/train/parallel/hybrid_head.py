"""The head of a network with its first two linear layers split among the ranks (``hybrid.py`` says why)."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from verydeep.train.parallel.all_reduce import rows_of_all, sum_of_own_rows
from verydeep.train.parallel.ranks import rank, rank_count


class HybridHead(nn.Sequential):
    """A head whose first two linear layers may be split; while they are not, an ordinary one."""

    seeds: Sequence[int] = ()
    """Of the dropout of the slice that each rank is at."""

    @property
    def split_parameters(self) -> dict[Tensor, int]:
        """The parameters that are split, each with its dimension."""
        (_, first), (_, second), *_ = linear_layers(self)
        return {first.weight: 0, first.bias: 0, second.weight: 1}

    @property
    def is_split(self) -> bool:
        """Whether each rank has its part alone."""
        _, first = linear_layers(self)[0]
        return len(first.weight) < first.out_features

    def forward(self, values: Float[Tensor, "images values"]) -> Float[Tensor, "images classes"]:
        """Logits of the images of this rank; all ranks call it together, with as many images each."""
        modules = list(self)
        if not self.is_split:
            return _through(modules, values)
        (position, first), (next_position, second), *_ = linear_layers(self)
        hidden = first(rows_of_all(_autocast(values)))  # of all images, but only some units
        for module in modules[position + 1 : next_position]:
            hidden = self._dropped(module, hidden) if isinstance(module, nn.Dropout) else module(hidden)
        values = sum_of_own_rows(functional.linear(hidden, second.weight)) + second.bias
        return _through(modules[next_position + 1 :], values)

    def _dropped(self, dropout: nn.Dropout, hidden: Float[Tensor, "all part"]) -> Float[Tensor, "all part"]:
        """With the masks of data parallel training: each slice draws its own, over the whole layer."""
        own, count = rank(), rank_count()
        images, width = len(hidden) // count, hidden.shape[1]
        masks = [hidden] * count
        for number in [
            *range(own),
            *range(own + 1, count),
            own,
        ]:  # what is drawn later goes on from the own one
            torch.manual_seed(self.seeds[number])
            whole = dropout(torch.ones(images, width * count, dtype=hidden.dtype, device=hidden.device))
            masks[number] = whole[:, own * width : (own + 1) * width]
        return hidden * torch.cat(masks)


def _through(modules: Iterable[nn.Module], values: Tensor) -> Tensor:
    for module in modules:
        values = module(values)
    return values


def linear_layers(head: nn.Sequential) -> list[tuple[int, nn.Linear]]:
    """The linear layers, each with its position."""
    return [(position, module) for position, module in enumerate(head) if isinstance(module, nn.Linear)]


def _autocast(values: Tensor) -> Tensor:
    """In the precision that the layer computes in, so that no more than that is exchanged."""
    kind = values.device.type
    return values.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else values
