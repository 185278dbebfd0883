"""The model card has the values of the checkpoint, and no text in it can break the Markdown."""

import json

import pytest
from markdown_it import MarkdownIt

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import IMAGENET, Preprocess
from verydeep.architecture.zoo import resolve
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.number_format import TIMES
from verydeep.report.model_card import fenced, model_card

ORIGIN = {
    "verydeep": "0.1.0", "data": "pets", "recipe": 'model = "tiny"\n', "seed": 3, "epochs": 5,
    "test_top1": 0.9299,
}  # fmt: skip


def checkpoint(classes=("cat", "dog"), origin=ORIGIN, string="8 M 16 M | gap"):
    architecture = Architecture.from_string(string, input=(1, 8, 8), classes=len(classes))
    return Checkpoint(
        build_empty(architecture), Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,)), classes, origin
    )


def blocks(card):
    """The code blocks that a Markdown parser finds, as pairs of language and text."""
    body = card.split("---\n", 2)[2]
    return [(token.info, token.content) for token in MarkdownIt().parse(body) if token.type == "fence"]


def test_parameters_and_macs_match_the_paper():  # Simonyan and Zisserman 2014, Table 2: 138 million
    vgg16 = Checkpoint(build_empty(resolve("vgg16")), IMAGENET, tuple(map(str, range(1000))))
    card = model_card(vgg16, "user/vgg16")
    assert "| parameters | 138,357,544 |" in card and "| MACs per image | 15,470,264,320 |" in card
    assert (
        f"| input (channels {TIMES} height {TIMES} width) | 3 {TIMES} 224 {TIMES} 224 |" in card
        and "| classes | 1,000 |" in card
    )
    assert "The first 100 of 1,000" in card and "\n99  99\n" in card and "\n100  100\n" not in card
    assert ("text", "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | pool7 4096 4096\n") in blocks(card)


def test_known_facts_are_on_the_card():
    card = model_card(checkpoint(), "user/pets", "mit")
    assert "trained on pets" in card
    assert (
        "92.99\N{NO-BREAK SPACE}% top-1 on the test images of pets (5 epochs, seed 3, verydeep 0.1.0)" in card
    )
    assert ("toml", 'model = "tiny"\n') in blocks(card)
    assert ("text", "0  cat\n1  dog\n") in blocks(card)
    assert any("mean = [0.3]" in text for _, text in blocks(card))
    assert "verydeep weights pull user/pets --out runs/pets" in card


def test_unknown_facts_are_omitted():
    card = model_card(checkpoint(origin={}), "user/pets")
    assert "\nNot stated.\n" in card and "No license is stated. Ask the author" in card
    assert "Recipe" not in card and "license:" not in card and "model-index" not in card


def test_the_hub_reads_the_metadata():
    model_cards = pytest.importorskip("huggingface_hub")
    data = model_cards.ModelCard(model_card(checkpoint(), "user/pets", "mit")).data
    metadata = data.to_dict()
    assert (metadata["license"], metadata["library_name"], metadata["pipeline_tag"]) == (
        "mit", "verydeep", "image-classification",
    )  # fmt: skip
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_name) == ("accuracy", 0.9299, "pets")


def test_no_text_ends_a_code_block_or_the_metadata():
    markup = "```\n# A heading\n<script>"
    origin = ORIGIN | {"recipe": markup, "data": 'pets"\nlicense: mine'}
    card = model_card(checkpoint((markup, "dog"), origin), "user/pets")
    assert ("toml", markup + "\n") in blocks(card)
    assert ("text", "0  ``` # A heading <script>\n1  dog\n") in blocks(card)
    model_cards = pytest.importorskip("huggingface_hub")
    assert model_cards.ModelCard(card).data.license is None


def test_the_python_code_on_the_card_uses_existing_names():
    import verydeep
    from verydeep.weights.hub import pull

    (code,) = [
        text for language, text in blocks(model_card(checkpoint(), "user/pets")) if language == "python"
    ]
    compile(code, "card", "exec")
    assert {"load", "predict"} <= set(verydeep.__all__) and pull


def test_a_fence_is_longer_than_any_fence_in_the_text():
    assert fenced("a ```` b") == "`````text\na ```` b\n`````"
    assert fenced(json.dumps({}), "json") == "```json\n{}\n```"


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "a\n\n# b", "a | b", "![x](http://a/b)"],
)
def test_no_text_becomes_html_a_link_or_a_heading(text):
    origin = ORIGIN | {"data": text, "epochs": text, "seed": text}
    card = model_card(checkpoint((text, "dog"), origin), "user/pets")
    body = card.split("---\n", 2)[2]
    tokens = MarkdownIt().enable("table").parse(body)
    inline = [child for token in tokens for child in token.children or []]
    assert not {token.type for token in [*tokens, *inline]} & {
        "html_block",
        "html_inline",
        "link_open",
        "image",
    }
    headings = sum(token.type == "heading_open" for token in tokens)
    assert headings == 7  # of the template
