"""Token colours: the numbers are the model's, every colour is legible, and typed text can do no harm."""

import copy
import re
import sys
from html.parser import HTMLParser
from io import BytesIO

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import scoring, token_colours
from course_lib.token_colours import DEEPEST, VIEW, Live, Reading, luminance, read, shade, to_html, to_png

TEXT = "кот и кошка"


@pytest.fixture(scope="module")
def tokenizer():
    from course_lib.pretrain import train_tokenizer

    return train_tokenizer(["кот кот кошка", "the cat sat"] * 5, 300)


@pytest.fixture(scope="module")
def model(tokenizer):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"vocab_size": len(tokenizer), "n_positions": 24, "n_embd": 16, "n_layer": 1, "n_head": 2}
    special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    return GPT2LMHeadModel(GPT2Config(**shape, **special, initializer_range=0.5)).eval()


def without_bos(tokenizer):
    """Return the tokenizer without a token that begins a text."""
    bare = copy.deepcopy(tokenizer)
    bare.bos_token = None
    return bare


# what the model thinks


def test_the_numbers_are_those_of_scoring(model, tokenizer):
    readings = read(model, tokenizer, TEXT)
    (scored,) = scoring.score(model, tokenizer, [("", TEXT)])  # its first token, too, comes after BOS
    assert len(readings) == len(scored.token_ids) > 3
    for reading, logprob in zip(readings, scored.token_logprobs, strict=True):
        assert reading.logprob == pytest.approx(logprob, abs=1e-4)


def test_the_likeliest_tokens_are_named_in_order(model, tokenizer):
    ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer(TEXT)["input_ids"]]])
    with torch.no_grad():
        probs = model(ids).logits[0].softmax(-1)
    for t, reading in enumerate(read(model, tokenizer, TEXT, n_likeliest=4)):
        best = probs[t].topk(4)
        names = token_colours.token_labels(tokenizer, best.indices.tolist())
        assert [label for label, _ in reading.likeliest] == names
        assert [p for _, p in reading.likeliest] == pytest.approx(best.values.tolist(), abs=1e-5)


def test_without_bos_the_first_token_has_no_number(model, tokenizer):
    whole = read(model, tokenizer, TEXT)
    tokenizer = without_bos(tokenizer)
    first, *rest = read(model, tokenizer, TEXT)
    assert first == Reading(whole[0].label) and all(reading.logprob is not None for reading in rest)
    assert [reading.label for reading in rest] == [reading.label for reading in whole[1:]]
    assert read(model, tokenizer, "к")[0].logprob is None
    ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logprobs = model(ids).logits[0].log_softmax(-1)
    expected = [logprobs[t, ids[0, t + 1]].item() for t in range(len(rest))]
    assert [reading.logprob for reading in rest] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("bos", [True, False])
def test_beyond_the_context_window_tokens_are_shown_and_not_scored(model, tokenizer, bos):
    tokenizer = tokenizer if bos else without_bos(tokenizer)
    n = len(tokenizer("кот" * 40)["input_ids"])
    readings = read(model, tokenizer, "кот" * 40)
    assert len(readings) == n >= 40
    scored = [i for i, reading in enumerate(readings) if reading.logprob is not None]
    start = 0 if bos else 1
    assert scored == list(range(start, start + 24))
    assert "".join(reading.label for reading in readings) == "кот" * 40


def test_an_empty_text_asks_for_one(model, tokenizer):
    assert read(model, tokenizer, "") == []
    assert "Type a text above" in to_html([])
    assert to_png({"": []}).startswith(b"\x89PNG")


# how it looks


def test_the_darker_the_less_likely_and_the_thicker_its_line():
    looks = [shade(-nats / 10) for nats in range(121)]
    light = [luminance([int(background[i : i + 2], 16) for i in (1, 3, 5)]) for background, _, _ in looks]
    assert light[0] == 1.0 and light == sorted(light, reverse=True) and light[100] < 0.02
    assert len(set(light)) > 80  # a ramp, no steps
    lines = [line for _, _, line in looks]
    assert lines == sorted(lines) and set(lines) == {0, 1, 2, 3, 4}
    assert shade(-DEEPEST) == shade(-1e9) == shade(float("-inf"))
    assert shade(None) == shade(0.0) == ("#ffffff", "#000000", 0)


def test_letters_stand_out_from_every_background():
    for nats in range(0, 101):
        background, ink, _ = shade(-nats / 10)
        one, other = sorted(
            luminance([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) for colour in (background, ink)
        )
        assert (other + 0.05) / (one + 0.05) >= 4.5, nats  # WCAG 2, level AA


class Spans(HTMLParser):
    """Collect tags, attributes and text of a piece of HTML."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.text += data


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_typed_text_stays_text(model, tokenizer, text):
    nasty = f"<script>alert(1)</script>\"'><b onclick=x>&amp;{text}"
    page = Spans(to_html(read(model, tokenizer, nasty)))
    assert page.tags <= {"div", "span", "br"} and page.attributes == {"style", "title"}
    assert "<script>alert(1)</script>\"'><b·onclick=x>&amp;" in page.text


def test_a_token_that_looks_like_a_tag_is_none():
    tag = "<img src=x onerror=alert(1)>"
    page = Spans(to_html([Reading(tag, -1.0, ((tag, 0.5),)), Reading('"' + tag)]))
    assert page.tags <= {"div", "span", "br"} and page.text.count(tag) == 2


def test_hovering_tells_number_and_alternatives():
    page = to_html([Reading("·к", -2.302585, (("·о", 0.25), ('"', 0.125))), Reading("D0")])
    assert (
        'title="«·к»\nlog-probability -2.30, probability 0.1\nlikeliest: «·о» 25.0%, «&quot;» 12.5%"' in page
    )
    assert 'title="«D0»\nnot scored"' in page and "1px dashed" in page
    assert "2 tokens, log-probability −2.3 nats" in page


def test_half_letters_line_breaks_and_spaces_can_be_seen(model, tokenizer):
    page = to_html(read(model, tokenizer, "кот\n🦔"))
    assert [label for label in ("F0", "9F", "A6", "94") if f">{label}</span>" in page] == [
        "F0",
        "9F",
        "A6",
        "94",
    ]
    assert "↵</span><br>" in page and "�" not in page


def test_the_picture_has_room_for_everything():
    from matplotlib.image import imread

    def height(*texts):
        picture = imread(BytesIO(to_png({str(i): text for i, text in enumerate(texts)})))
        assert picture.shape[1] == pytest.approx(870, abs=15)
        return picture.shape[0]

    short, long = [Reading("кот", -1.0)] * 3, [Reading("кот", -1.0)] * 60
    broken = [Reading("↵", -1.0), Reading("кот", -1.0)]
    assert height(short) < height(broken) < height(long)
    assert height(short) < height(short, short) < height(short, short, short)


def test_a_dollar_is_no_formula_and_a_strange_letter_no_warning():
    odd = [Reading("$\\frac$", -1.0), Reading("$_$", None), Reading("\u0915", -3.0)]
    assert to_png({"$x": odd}).startswith(b"\x89PNG")  # a warning would be an error here


def test_surprise_is_drawn_darker():
    from matplotlib.image import imread

    likely, surprising = (imread(BytesIO(to_png({"": [Reading("кот", p)] * 10}))).mean() for p in (0.0, -9.0))
    assert likely > surprising


# the widget and what takes its place


def test_typing_colours_the_text(model, tokenizer):
    live = Live(model, tokenizer, TEXT)
    assert live.view.value == to_html(read(model, tokenizer, TEXT))
    live.box.value = "<b>кошка"
    assert live.view.value == to_html(read(model, tokenizer, "<b>кошка"))
    live.box.value = ""
    assert "Type a text above" in live.view.value


def test_one_output_carries_widget_and_picture(model, tokenizer):
    live = Live(model, tokenizer, TEXT)
    bundle = live._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain", "image/png", VIEW}
    assert bundle["image/png"] == to_png({"": read(model, tokenizer, TEXT)})
    assert bundle["text/plain"] == f"token colours: {TEXT}"  # no id that differs from run to run
    assert bundle[VIEW]["model_id"] == live.widget.model_id


def test_without_ipywidgets_the_picture_is_left(model, tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bundle = Live(model, tokenizer, TEXT)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png"}


def test_stored_outputs_keep_the_picture_alone(root):
    import nbformat

    notebook = nbformat.read(root / "seminars" / "02_prompt_laboratory.ipynb", as_version=4)
    assert "widgets" not in notebook.metadata
    live = [cell for cell in notebook.cells if re.search(r"token_colours\.Live\(", cell.source)]
    assert len(live) == 2
    for cell in live:
        (output,) = cell.outputs
        assert set(output.data) == {"text/plain", "image/png"}


def test_picture_is_one_or_several_texts(model, tokenizer):
    one = token_colours.picture(model, tokenizer, TEXT)
    both = token_colours.picture(model, tokenizer, {"sad": TEXT, "happy": TEXT})
    assert one.data == to_png({"": read(model, tokenizer, TEXT)}) and len(both.data) > len(one.data)
