"""The model card: what it says is the checkpoint's, and no text in it can break it."""

import json

import pytest
from markdown_it import MarkdownIt

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import IMAGENET, Preprocess
from verydeep.architecture.zoo import resolve
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.model_card import fenced, model_card
from verydeep.tables.format import TIMES

ORIGIN = {
    "verydeep": "0.1.0", "data": "pets", "recipe": 'model = "tiny"\n', "seed": 3, "epochs": 5,
    "test_top1": 0.9299,
}  # fmt: skip


def checkpoint(classes=("cat", "dog"), origin=ORIGIN, line="8 M 16 M | gap"):
    architecture = Architecture.from_string(line, input=(1, 8, 8), classes=len(classes))
    return Checkpoint(
        build_empty(architecture), Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,)), classes, origin
    )


def blocks(card):
    """The blocks of code as a reader of Markdown sees them, by their language."""
    body = card.split("---\n", 2)[2]
    return [(token.info, token.content) for token in MarkdownIt().parse(body) if token.type == "fence"]


def test_the_figures_are_the_papers():  # Simonyan and Zisserman 2014, Table 2: 138 million
    vgg16 = Checkpoint(build_empty(resolve("vgg16")), IMAGENET, tuple(map(str, range(1000))))
    card = model_card(vgg16, "user/vgg16")
    assert "| parameters | 138,357,544 |" in card and "| multiply-adds an image | 15,470,264,320 |" in card
    assert f"| input | 3 {TIMES} 224 {TIMES} 224 |" in card and "| classes | 1,000 |" in card
    assert "The first 100 of 1,000" in card and "\n99  99\n" in card and "\n100  100\n" not in card
    assert ("text", "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | pool7 4096 4096\n") in blocks(card)


def test_what_is_known_is_said():
    card = model_card(checkpoint(), "user/pets", "mit")
    assert "trained on pets" in card
    assert (
        "92.99\N{NO-BREAK SPACE}% top-1 on the test images of pets (5 epochs, seed 3, verydeep 0.1.0)" in card
    )
    assert ("toml", 'model = "tiny"\n') in blocks(card)
    assert ("text", "0  cat\n1  dog\n") in blocks(card)
    assert any("mean = [0.3]" in text for _, text in blocks(card))
    assert "verydeep weights pull user/pets --out runs/pets" in card


def test_what_is_not_known_is_not_said():
    card = model_card(checkpoint(origin={}), "user/pets")
    assert "\nNot stated.\n" in card and "None is stated. Ask the author" in card
    assert "Recipe" not in card and "license:" not in card and "model-index" not in card


def test_the_head_is_what_the_hub_reads():
    model_cards = pytest.importorskip("huggingface_hub")
    data = model_cards.ModelCard(model_card(checkpoint(), "user/pets", "mit")).data
    head = data.to_dict()
    assert (head["license"], head["library_name"], head["pipeline_tag"]) == (
        "mit", "verydeep", "image-classification",
    )  # fmt: skip
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_name) == ("accuracy", 0.9299, "pets")


def test_no_text_ends_a_block_or_the_head():
    nasty = "```\n# A heading\n<script>"
    origin = ORIGIN | {"recipe": nasty, "data": 'pets"\nlicense: mine'}
    card = model_card(checkpoint((nasty, "dog"), origin), "user/pets")
    assert ("toml", nasty + "\n") in blocks(card)
    assert ("text", "0  ``` # A heading <script>\n1  dog\n") in blocks(card)
    model_cards = pytest.importorskip("huggingface_hub")
    assert model_cards.ModelCard(card).data.license is None


def test_the_python_on_the_card_names_what_there_is():
    import verydeep
    from verydeep.weights.hub import pull

    (code,) = [
        text for language, text in blocks(model_card(checkpoint(), "user/pets")) if language == "python"
    ]
    compile(code, "card", "exec")
    assert {"load", "predict"} <= set(verydeep.__all__) and pull


def test_a_fence_is_longer_than_any_in_the_text():
    assert fenced("a ```` b") == "`````text\na ```` b\n`````"
    assert fenced(json.dumps({}), "json") == "```json\n{}\n```"
