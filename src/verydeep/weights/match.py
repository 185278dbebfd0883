"""Step 3 of loading: which network a weight file holds, and in which layout, by keys and shapes alone."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.errors import CheckpointError
from verydeep.models.build import build_empty
from verydeep.weights.candidates import most_similar_networks, possible_networks
from verydeep.weights.checks import abbreviated
from verydeep.weights.compare import Match, PartialMatch, compare, empty_model
from verydeep.weights.key_maps import LAYOUTS
from verydeep.weights.read import Shapes, WeightFile


def require_match(file: WeightFile, network: Architecture | None, *, features_only: bool) -> Match:
    """The network that ``file`` holds: ``network`` where it is exactly that, otherwise one of the zoo.

    Raises:
        CheckpointError: where it holds no known network, or a network and unexpected tensors.
    """
    match = _match_preferred(file, network, features_only)
    if not isinstance(match, Match):
        raise CheckpointError(mismatch_text(file.path, match))
    if match.unexpected and not features_only:
        raise CheckpointError(
            f"{file.path} holds {match.architecture.name} and unexpected tensors: "
            f"{abbreviated(match.unexpected)}. To load the features alone, set features_only=True, "
            "--features-only"
        )
    return match


def _match_preferred(
    file: WeightFile, network: Architecture | None, features_only: bool
) -> Match | PartialMatch | None:
    if network is None:
        return match_network(file, features_only=features_only)
    preferred = match_network(file, [network], features_only=features_only)
    if isinstance(preferred, Match) and (features_only or not preferred.unexpected):
        return preferred
    from_zoo = match_network(file, features_only=features_only)
    return from_zoo if isinstance(from_zoo, Match) else preferred or from_zoo


def mismatch_text(path: Path, closest: PartialMatch | None) -> str:
    """Why no network was recognized in the file at ``path``, and the next step."""
    if closest is None:
        return (
            f"{path} holds no known network: neither its keys nor its shapes are those of VGG, AlexNet or "
            "ResNet. `verydeep list` shows the known networks"
        )
    differences = {
        "missing": closest.missing,
        "wrong shape": closest.wrong_shape,
        "unexpected": closest.unexpected,
    }
    text = "; ".join(f"{what}: {abbreviated(keys)}" for what, keys in differences.items() if keys)
    return (
        f"{path} does not match any network. The closest is {closest.name} in the {closest.layout} layout: "
        f"{text}. To load the features alone, set features_only=True, --features-only"
    )


def match_network(
    file: WeightFile, networks: Iterable[Architecture] = (), *, features_only: bool = False
) -> Match | PartialMatch | None:
    """The network among ``networks``, or of the zoo, that ``file`` holds; otherwise the closest one, or None.

    The head may have another depth, width or grid than in the zoo. Where a file has no head, or one that is
    all NaN (torchvision's features), or with ``features_only``, the match is of the features.
    """
    given = list(networks)
    compared = list(_comparisons(file, given or possible_networks(file.shapes), features_only))
    matches = [result for result in compared if isinstance(result, Match)]
    if matches:  # a file of VGG19 in Keras's keys holds VGG16 too: the match with the fewest unexpected keys
        return min(matches, key=lambda match: len(match.unexpected))
    partial = [result for result in compared if isinstance(result, PartialMatch)]
    partial = partial or list(_partial_by_keys(given or most_similar_networks(file.shapes), file.shapes))
    return min(partial, key=_differences, default=None)


def _differences(match: PartialMatch) -> int:
    return len(match.missing) + len(match.wrong_shape) + len(match.unexpected)


def _comparisons(
    file: WeightFile, candidates: Iterable[Architecture], features_only: bool
) -> Iterator[Match | PartialMatch]:
    """The comparison with each candidate in each layout, up to the first match without unexpected keys."""
    for candidate in candidates:
        for architecture in _with_depth(candidate, file.shapes):
            model = empty_model(architecture)
            for layout in LAYOUTS:
                result = compare(file, model, layout, features_only=features_only)
                if result is None:
                    continue
                yield result
                if isinstance(result, Match) and not result.unexpected:
                    return


def _with_depth(architecture: Architecture, shapes: Shapes) -> Iterator[Architecture]:
    """The architecture, and one with as many hidden layers as the file has matrices before the last layer."""
    yield architecture
    depth = sum(len(shape) == 2 for shape in shapes.values()) - 1
    if 0 <= depth != len(architecture.head.hidden) and depth < 10:
        yield replace(architecture, head=Head(architecture.head.grid, (1,) * depth))


def _partial_by_keys(candidates: Iterable[Architecture], shapes: Shapes) -> Iterator[PartialMatch]:
    """Each candidate and layout of which the file has any key."""
    for architecture in candidates:
        model = build_empty(architecture)
        for layout in LAYOUTS:
            keys = [row.file_key for row in layout.key_map(model) if not row.is_optional]
            if shapes.keys() & set(keys):
                missing = tuple(key for key in keys if key not in shapes)
                unexpected = tuple(sorted(shapes.keys() - set(keys)))
                yield PartialMatch(architecture.name, layout.name, missing, (), unexpected)
