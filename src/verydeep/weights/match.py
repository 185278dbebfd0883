"""Step 3 of loading: which network a weight file holds, and in which layout, by keys and shapes alone."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from verydeep.architecture.architecture import Architecture, Norm
from verydeep.architecture.layers import Head
from verydeep.errors import CheckpointError
from verydeep.models.build import build_empty
from verydeep.weight_files.read import Shapes, WeightFile
from verydeep.weights.candidates import most_similar_networks, possible_networks
from verydeep.weights.compare import Match, PartialMatch, compare, compare_with_other_head, empty_model
from verydeep.weights.key_maps import LAYOUTS, Layout
from verydeep.weights.mismatch import mismatch_text, other_network_text, unexpected_text
from verydeep.weights.onnx_layouts import ONNX_LAYOUTS, folded


def require_match(file: WeightFile, network: Architecture | None, *, features_only: bool) -> Match:
    """The network that ``file`` holds: ``network`` where it is exactly that, otherwise one of the zoo.

    Raises:
        CheckpointError: where it holds no known network, or a network and unexpected tensors.
    """
    if reason := other_network_text(file):
        raise CheckpointError(reason)
    match = _match_preferred(file, network, features_only)
    if not isinstance(match, Match):
        raise CheckpointError(mismatch_text(file.path, match, file.shapes))
    if match.inside or (match.unexpected and not features_only):
        raise CheckpointError(unexpected_text(file.path, match))
    return match


def _match_preferred(
    file: WeightFile, network: Architecture | None, features_only: bool
) -> Match | PartialMatch | None:
    if network is None:
        return match_network(file, features_only=features_only)
    preferred = match_network(file, _with_open_settings(network), features_only=features_only)
    if isinstance(preferred, Match) and (features_only or not preferred.unexpected):
        return preferred
    from_zoo = match_network(file, features_only=features_only)
    return from_zoo if isinstance(from_zoo, Match) else preferred or from_zoo


def _with_open_settings(network: Architecture) -> list[Architecture]:
    """``network``; one that is known by its string alone, also with each norm that this leaves open."""
    if network.name != network.string:
        return [network]
    settings: tuple[tuple[Norm, bool], ...] = (
        ("none", True),
        ("batch", False),
        ("batch", True),
        ("batch-after-pool", False),
        ("batch-after-pool", True),
    )
    others = [replace(network, norm=norm, conv_bias=bias) for norm, bias in settings]
    # Here a ResNet with hidden layers has other names of its features than without, as in its file.
    others += [replace(other, head=Head()) for other in others if other.head.hidden]
    return [network, *(other for other in others if other != network)]


def match_network(
    file: WeightFile, networks: Iterable[Architecture] = (), *, features_only: bool = False
) -> Match | PartialMatch | None:
    """The network among ``networks``, or of the zoo, that ``file`` holds; otherwise the closest one, or None.

    The head may have another depth, width or grid than in the zoo. Where a file has no head, or one that is
    all NaN (torchvision's features), or with ``features_only``, the match is of the features.
    """
    given = list(networks)
    candidates = given or _candidates(file)
    compared = list(_comparisons(file, candidates, features_only))
    matches = [result for result in compared if isinstance(result, Match)]
    is_complete = any(not match.unexpected for match in matches)
    if not features_only and not is_complete and (other := _match_with_other_head(file, candidates)):
        return other
    if matches:  # a file of VGG19 in Keras's keys holds VGG16 too: the match with the fewest unexpected keys
        return min(matches, key=lambda match: len(match.unexpected))
    partial = [result for result in compared if isinstance(result, PartialMatch)]
    partial = partial or list(_partial_by_keys(given or most_similar_networks(file.shapes), file.shapes))
    return min(partial, key=_differences, default=None)


def _candidates(file: WeightFile) -> list[Architecture]:
    networks = possible_networks(file.shapes)
    if file.format != "onnx":
        return networks
    return networks + [folded(network) for network in networks if not network.conv_bias]


def _layouts(file: WeightFile) -> tuple[Layout, ...]:
    return (*LAYOUTS, *ONNX_LAYOUTS) if file.format == "onnx" else LAYOUTS


def _differences(match: PartialMatch) -> int:
    return len(match.missing) + len(match.wrong_shape) + len(match.unexpected)


def _comparisons(
    file: WeightFile, candidates: Iterable[Architecture], features_only: bool
) -> Iterator[Match | PartialMatch]:
    """The comparison with each candidate in each layout, up to the first match without unexpected keys."""
    for candidate in candidates:
        for architecture in _with_depth(candidate, file.shapes):
            model = empty_model(architecture)
            for layout in _layouts(file):
                result = compare(file, model, layout, features_only=features_only)
                if result is None:
                    continue
                yield result
                if isinstance(result, Match) and not result.unexpected:
                    return


def _match_with_other_head(file: WeightFile, candidates: Iterable[Architecture]) -> Match | None:
    """The first candidate of which the file has the features, under a head with other names."""
    for candidate in candidates:
        for layout in _layouts(file):
            if match := compare_with_other_head(file, empty_model(candidate), layout):
                return match
    return None


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
                yield PartialMatch(
                    architecture.name, layout.name, missing, (), unexpected, has_features=False
                )
