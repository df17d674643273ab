"""The checks of seminar 2: right answers pass, each usual mistake is named, a blank notebook stays friendly.

The functions under test are the solved notebook's own; a mistake is a solution with a few words changed.
"""

# ruff: noqa: E501 (one mistake a line)

import re
from itertools import combinations

import nbformat
import numpy as np
import pytest
import torch

from course_lib import notebooks, scoring
from course_lib.exercises import NotYet, close, compare
from course_lib.exercises import prompts as checks
from course_lib.exercises import prompts_parts as parts
from tests.solved import changed, functions, run

SOLVED = notebooks.ROOT / "seminars" / "02_prompt_laboratory.ipynb"
NAMES = checks.__all__
NOTEBOOK = nbformat.read(SOLVED, as_version=4)
CELLS = {name: source for name, source in functions(SOLVED).items() if name in NAMES}


def define(name: str, source: str):
    """Run a cell that defines a function, and return the function."""
    space = {"torch": torch, "Tensor": torch.Tensor}
    run(name, source, space)
    return space[name]


@pytest.fixture(scope="module")
def lm():
    """Return a small model with large random weights, and its tokenizer."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from course_lib.pretrain import train_tokenizer

    tokenizer = train_tokenizer(["Мама мыла раму."] * 5, 300)
    torch.manual_seed(0)
    special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    shape = {"vocab_size": len(tokenizer), "n_positions": 64, "n_embd": 16, "n_layer": 1, "n_head": 2}
    config = GPT2Config(**shape, **special, initializer_range=0.5)
    return GPT2LMHeadModel(config).eval(), tokenizer


@pytest.fixture
def context(lm):
    """Return, by exercise, what its check takes besides the function."""
    return {"completion_logprobs": lm}


def test_every_exercise_has_its_cell():
    assert sorted(CELLS) == sorted(NAMES) and len(NAMES) == 7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("who", ["the solution", "the reference that stands in"])
def test_right_answers_pass_with_one_line(name, who, context, capsys):
    check = getattr(checks, name)
    student = define(name, CELLS[name]) if who == "the solution" else check.reference
    check(student, *context.get(name, ()))
    printed = capsys.readouterr().out
    assert printed.startswith(f"✓ {name}: ") and printed.count("\n") == 1
    assert check.working(student) is student
    assert capsys.readouterr().out == ""


REQUESTS = 'requests = [(label, f" {text}") for text in texts for label in labels]'
ASKED = 'requests = [(text, f" {label}") for text in texts for label in labels]'
FIRST = "chosen = chosen[::-1]"
# exercise, what the sentence must say, the words of the solution that change: old, new, old, new, ...
MISTAKES = [
    ("completion_logprobs", "shifted by one: the logits at t predict token t + 1", "logits[:-1]", "logits", "ids[1:, None]", "ids[:, None]", "n_prompt - 1 :", "n_prompt:"),
    ("completion_logprobs", "shifted the wrong way", "logits[:-1]", "logits[1:]", "ids[1:, None]", "ids[:-1, None]"),
    ("completion_logprobs", "the prompt's tokens are scored too", "own[n_prompt - 1 :]", "own"),
    ("completion_logprobs", "one token too many, the prompt's last", "n_prompt - 1 :", "n_prompt - 2 :"),
    ("completion_logprobs", "the completion's first token is missing", "n_prompt - 1 :", "n_prompt:"),
    ("completion_logprobs", "the completion's last token is missing", "n_prompt - 1 :", "n_prompt - 1 : -1"),
    ("completion_logprobs", "these are the prompt's tokens", "n_prompt - 1 :", ": n_prompt - 1"),
    ("completion_logprobs", "these are the raw logits", ".log_softmax(dim=-1)", ""),
    ("completion_logprobs", "these are probabilities", "log_softmax", "softmax"),
    ("completion_logprobs", "the sign is turned", "return own", "return -own"),
    ("completion_logprobs", "softmax over time", "dim=-1", "dim=0"),
    ("completion_logprobs", "the logarithm has the base 2", ".log_softmax(dim=-1)", ".softmax(dim=-1).log2()"),
    ("completion_logprobs", "this is the sum over the tokens", "n_prompt - 1 :]", "n_prompt - 1 :].sum()"),
    ("completion_logprobs", "this is the mean over the tokens", "n_prompt - 1 :]", "n_prompt - 1 :].mean()"),
    ("completion_logprobs", "these are the likeliest tokens'", "gather(1, ids[1:, None])[:, 0]", "amax(-1)"),
    ("completion_logprobs", "these are all tokens of the vocabulary", "own[n_prompt", "logprobs[n_prompt"),
    ("completion_logprobs", "with logits 100 times larger the result contains NaN or infinity", ".log_softmax(dim=-1)", ".softmax(dim=-1).log()"),
    ("completion_logprobs", "for a prompt of one token", "own[n_prompt - 1 :]", "own[max(n_prompt, 2) - 1 :]"),
    ("completion_logprobs", "made-up logits are fine, the real model's are not", "own[n_prompt - 1 :]", "own[n_prompt - 1 :] + (logits.shape[1] > 12)"),
    ("deck_prompts", "the happy one comes first", "[f\"Грустный твит: {text}{sad}\", f\"Весёлый твит: {text}{happy}\"]", "[f\"Весёлый твит: {text}{happy}\", f\"Грустный твит: {text}{sad}\"]"),
    ("deck_prompts", "glued together", "твит: {", "твит:{"),
    ("deck_prompts", "the colon after the label is missing", "твит:", "твит"),
    ("deck_prompts", "spell «Весёлый» with ё", "Весёлый", "Веселый"),
    ("deck_prompts", "the tweet itself is missing", "{text}", "{{text}}"),
    ("deck_prompts", "the smiles are missing", "if smiles else", "if not text else"),
    ("deck_prompts", "the smiles changed places", "sad, happy =", "happy, sad ="),
    ("deck_prompts", "put a space before the smile", '" (((", " )))"', '"(((", ")))"'),
    ("deck_prompts", "a smile of three brackets is asked", '" (((", " )))"', '" (", " )"'),
    ("deck_prompts", "the smile stands before the tweet", ": {text}{sad}", ":{sad} {text}", ": {text}{happy}", ":{happy} {text}"),
    ("deck_prompts", "there is a smile where smiles=False", "if smiles else", "if True else"),
    ("deck_prompts", "return a list of two strings", '{happy}"]', '{happy}"][0]'),
    ("deck_prompts", "with smiles=True it should be 'Грустный твит: Сдал экзамен ((('", " (((", " :((("),
    ("channel", "that is the direct model: the label is scored, not the text", REQUESTS, ASKED),
    ("channel", "the label's words are scored too", '(label, f" {text}")', '("", f"{label} {text}")'),
    ("channel", "the label is missing in the prompt", "(label, f", '("", f'),
    ("channel", "glued together", 'f" {text}"', "text"),
    ("channel", "the prompt ends with a space", '(label, f" {text}")', '(label + " ", text)'),
    ("channel", "requests go text by text", "view(len(texts), len(labels))", "view(len(labels), len(texts)).T"),
    ("channel", "requests go label by label", "for text in texts for label in labels", "for label in labels for text in texts"),
    ("channel", "rows and columns changed places", "view(len(texts), len(labels))", "view(len(texts), len(labels)).T"),
    ("channel", "these are losses", "return score", "return -score"),
    ("channel", "these are the winners", "len(labels))", "len(labels)).argmax(dim=1)"),
    ("channel", "with two texts and three labels the result", "view(len(texts), len(labels))", "view(-1, 2)"),
    ("channel", "`score` takes a list of pairs", '(label, f" {text}")', 'f"{label} {text}"'),
    ("channel", "`score` takes a list of pairs", "score(requests)", "score(requests[0])"),
    ("direct", "that is the channel model: the text is scored, not the label", ASKED, REQUESTS),
    ("direct", "the text is scored too", '(text, f" {label}")', '("", f"{text} {label}")'),
    ("direct", "glued together", 'f" {label}"', "label"),
    ("direct", "the prompt ends with a space", '(text, f" {label}")', '(text + " ", label)'),
    ("direct", "must add up to 1: log_softmax over the labels", ".log_softmax(dim=1)", ""),
    ("direct", "softmax over the texts", "dim=1", "dim=0"),
    ("direct", "these are probabilities", "log_softmax", "softmax"),
    ("direct", "the sign was turned before the softmax", "score(requests)", "(-score(requests))"),
    ("direct", "these are losses", "return score", "return -score"),
    ("direct", "requests go text by text", "view(len(texts), len(labels))", "view(len(labels), len(texts)).T"),
    ("direct", "requests go label by label", "for text in texts for label in labels", "for label in labels for text in texts"),
    ("direct", "rows and columns changed places", "dim=1)", "dim=1).T"),
    ("direct", "these are the winners", "dim=1)", "dim=1).argmax(dim=1)"),
    ("normalise", "the prompt's tokens are in the sum", "logprobs * mask", "logprobs"),
    ("normalise", "the prompt's tokens are in the sum", "logprobs * mask", "(logprobs if norm == 'token' else logprobs * mask)"),
    ("normalise", "nothing is divided: this is the mean per token", "return total\n", "return total / mask.sum(dim=1)\n"),
    ("normalise", "nothing is divided: this is the mean per byte", "return total\n", "return total / torch.tensor([len(text.encode()) for text in completions])\n"),
    ("normalise", "the sign is turned", "total = ", "total = -1 * "),
    ("normalise", "you summed over the texts", ".sum(dim=1)\n    if", ".sum(dim=0)\n    if"),
    ("normalise", "the whole batch became one number", ".sum(dim=1)\n    if", ".sum()\n    if"),
    ("normalise", "with norm='token' divide by the number of tokens", "total / mask.sum(dim=1)", "total"),
    ("normalise", "you divided by the number of tokens of the prompt and the padding too", "total / mask.sum(dim=1)", "total / logprobs.shape[1]"),
    ("normalise", "the mask does nothing", "total / mask.sum(dim=1)", "logprobs.mean(dim=1)"),
    ("normalise", "you divided by the tokens of the whole batch", "total / mask.sum(dim=1)", "total / mask.sum()"),
    ("normalise", "you multiplied by the number of tokens", "total / mask.sum(dim=1)", "total * mask.sum(dim=1)"),
    ("normalise", "this is the perplexity", "total / mask.sum(dim=1)", "(-total / mask.sum(dim=1)).exp()"),
    ("normalise", "with norm='byte' divide by the number of bytes", '"byte"', '"bytes"'),
    ("normalise", "you counted letters", "text.encode()", "text"),
    ("normalise", "you counted words", "text.encode()", "text.split()"),
    ("normalise", "you counted tokens", "torch.tensor([len(text.encode()) for text in completions])", "mask.sum(dim=1)"),
    ("normalise", "you divided the mean per token by the bytes", "return total / torch", "return total / mask.sum(dim=1) / torch"),
    ("normalise", "you divided by the bytes of the whole batch", "for text in completions])", "for text in completions]).sum()"),
    ("calibrate", "calibrated by adding instead of subtracting", "scores -", "scores +"),
    ("calibrate", "the log is missing", "belief.log()", "belief"),
    ("calibrate", "you took the mean of logarithms", "softmax(dim=1)", "log_softmax(dim=1)", "belief.log()", "belief"),
    ("calibrate", "normalise first", "silent.softmax(dim=1)", "silent.exp()"),
    ("calibrate", "these are the silent scores' plain means", "silent.softmax(dim=1)", "silent", "belief.log()", "belief"),
    ("calibrate", "softmax over the content-free inputs", "softmax(dim=1)", "softmax(dim=0)"),
    ("calibrate", "only the first content-free input", "mean(dim=0)", "select(0, 0)"),
    ("calibrate", "the belief about the texts themselves", "silent.softmax", "scores.softmax"),
    ("calibrate", "you divided log-probabilities", "scores -", "scores /"),
    ("calibrate", "this is the belief itself", "scores - belief.log()", "belief.log()"),
    ("calibrate", "these are probabilities", "scores - belief.log()", "(scores - belief.log()).exp()"),
    ("calibrate", "nothing is calibrated", "scores - belief.log()", "scores + 0 * belief"),
    ("calibrate", "the scores are missing", "scores - belief.log()", "0 * scores - belief.log()"),
    ("pick_shots", "the shots are those farthest from the query", "descending=True", "descending=False", FIRST, "pass"),
    ("pick_shots", "the shots are those farthest from the query", "descending=True", "descending=False"),
    ("pick_shots", "not balanced: these are the nearest of all", "if taken[labels[i]] <= n_each", "if len(chosen) < 2 * n_each"),
    ("pick_shots", "these are the nearest of all, the nearest first", "if taken[labels[i]] <= n_each", "if len(chosen) < 2 * n_each", FIRST, "pass"),
    ("pick_shots", "the nearest shot stands first", FIRST, "pass"),
    ("pick_shots", "the shots stand label by label: order them by likeness, the nearest last", FIRST, "chosen = sorted(chosen[::-1], key=lambda i: labels[i])"),
    ("pick_shots", "the nearest of all last", FIRST, "chosen = sorted(chosen, key=lambda i: labels[i])"),
    ("pick_shots", "in the pool's order", FIRST, "chosen = sorted(chosen)"),
    ("pick_shots", "take the nearest", "likeness.argsort(descending=True).tolist()", "range(len(labels))", FIRST, "pass"),
    ("pick_shots", "of every label one is missing", "<= n_each", "< n_each"),
    ("pick_shots", "the room does nothing", "> room", "> room + 1000"),
    ("pick_shots", "the nearest shots were dropped", "chosen = chosen[1:]", "chosen = chosen[:-1]"),
    ("pick_shots", "one shot more fits", "> room", ">= room"),
    ("pick_shots", "one shot too many", "while sum(lengths[i] for i in chosen) >", "while sum(lengths[i] for i in chosen[1:]) >"),
    ("pick_shots", "no shot is left", "    chosen = chosen[1:]", "    chosen = []"),
    ("pick_shots", "the nearest shot is left alone", "while sum(lengths[i] for i in chosen) > room:\n        chosen = chosen[1:]", "kept = []\n    for i in chosen[::-1]:\n        kept = [i, *kept] if sum(lengths[j] for j in [i, *kept]) <= room else kept\n    chosen = kept"),
    ("pick_shots", "where nothing fits the list is empty", "> room:", "> room and len(chosen) > 1:"),
    ("pick_shots", "return a list of indices", "return chosen", "return len(chosen)"),
    ("pick_shots", "whole numbers", "return chosen", "return [str(i) + 'th' for i in chosen]"),
    ("pick_shots", "with room for all it should be", "likeness.argsort(descending=True).tolist()", "likeness.argsort(descending=True).tolist()[1:]"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "says", "words"),
    [pytest.param(name, says, words, id=f"{name}-{says}") for name, says, *words in MISTAKES],
)
def test_a_usual_mistake_is_named(name, says, words, context):
    with pytest.raises(NotYet) as caught:
        getattr(checks, name)(define(name, changed(name, CELLS[name], words)), *context.get(name, ()))
    sentence = str(caught.value)
    assert sentence.startswith(f"✗ {name}: ") and says in sentence and "\n" not in sentence
    assert caught.value._render_traceback_() == [sentence]


def test_the_mistakes_of_a_check_all_differ_and_are_all_tested(context, monkeypatch):
    tables, lists = [], []

    def spy(answer, expected, axes, wrong=None, what="the result"):
        tables.append((expected, wrong or {}))
        compare(answer, expected, axes, wrong, what)

    def spy_on_lists(answer, wrong):
        lists.append((answer, wrong))

    for module in (checks, parts):
        monkeypatch.setattr(module, "compare", spy)
        monkeypatch.setattr(module, "name_mistake", spy_on_lists)
    for name in NAMES:
        getattr(checks, name)(define(name, CELLS[name]), *context.get(name, ()))
    said = [says for _, says, *_ in MISTAKES]
    for same, found in ((close, tables), (lambda one, other: one == other, lists)):
        for right, wrong in found:
            for one, other in combinations([("right", right), *wrong.items()], 2):
                assert not same(one[1], other[1]), (one[0], other[0])
            assert [mistake for mistake in wrong if not any(says in mistake for says in said)] == []
    assert sum(len(wrong) for _, wrong in tables) > 60 and sum(len(wrong) for _, wrong in lists) > 20


@pytest.mark.parametrize("name", NAMES)
def test_left_blank_it_says_what_to_do(name, context):
    student = define(name, notebooks.blank(CELLS[name]))
    with pytest.raises(NotYet, match=f"✗ {name}: not written yet: complete the function above"):
        getattr(checks, name)(student, *context.get(name, ()))


# the references agree with the course's own scoring

TEMPLATES = {
    "channel": scoring.Template("{label}", " {text}"),
    "direct": scoring.Template("{text}", " {label}"),
}
TEXTS = ["Мама мыла раму", "Рама", "Мыла мама"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_classifiers_are_those_of_the_course(name, lm):
    def score(requests):
        return torch.tensor([one.logprob for one in scoring.score(*lm, requests)], dtype=torch.float64)

    labels = ["мама:", "рама, рама."]
    examples = [{"text": text} for text in TEXTS]
    mine = getattr(checks, name).reference(score, TEXTS, labels)
    course = torch.from_numpy(scoring.label_scores(*lm, TEMPLATES[name], examples, dict(enumerate(labels))))
    torch.testing.assert_close(mine, course if name == "channel" else course.log_softmax(1))


@pytest.mark.parametrize("norm", ["sum", "token", "byte"])
def test_the_norms_are_those_of_the_course(norm, lm):
    from course_lib.scoring.classify import norm_of

    completions = [" мыла раму", " рама."]
    scored = scoring.score(*lm, [("Мама", completion) for completion in completions])
    rows = [torch.from_numpy(one.token_logprobs) for one in scored]
    logprobs = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-7.0)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True)
    mine = checks.normalise.reference(logprobs, mask, completions, norm)
    np.testing.assert_allclose(mine, [norm_of(norm)(one) for one in scored], rtol=1e-6)


def test_calibration_is_that_of_the_course(lm):
    labels = {0: "мама", 1: "рама."}
    examples = [{"text": text} for text in TEXTS]

    def scores(rows, calibrate=None):
        found = scoring.label_scores(*lm, TEMPLATES["direct"], rows, labels, calibrate=calibrate)
        return torch.from_numpy(found)

    silent = scores([{"text": text} for text in scoring.classify.CONTENT_FREE])
    mine = checks.calibrate.reference(scores(examples), silent)
    torch.testing.assert_close(mine, scores(examples, "contextual"))
    one = checks.calibrate.reference(scores(examples), silent[-1:])  # the notebook: PMI has the same winners
    gap = one - scores(examples, "pmi")
    torch.testing.assert_close(gap, gap[:1, :1].expand_as(gap))


def test_picked_shots_are_the_nearest_of_each_label():
    pool = [{"text": text, "label": i % 2} for i, text in enumerate(TEXTS * 2)]
    pool = [{**shot, "text": shot["text"] + "!" * i} for i, shot in enumerate(pool)]
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3))
    known = vectors.fit_transform([shot["text"] for shot in pool])
    likeness = torch.from_numpy((vectors.transform(["Мама мыла раму!"]) @ known.T).toarray())[0]
    picked = checks.pick_shots.reference(likeness, [shot["label"] for shot in pool], 1, [1] * 6, 9)
    nearest = [
        scoring.nearest_shots(
            [s for s in pool if s["label"] == label], [{"text": "Мама мыла раму!"}], 1, "text"
        )
        for label in (0, 1)
    ]
    assert sorted(pool[i]["text"] for i in picked) == sorted(found[0][0]["text"] for found in nearest)
    assert likeness[picked[-1]] == likeness.max()


# the notebook


def test_nothing_that_depends_on_the_model_is_compared():
    """Whoever trains the model again need not touch the notebook: what is compared is the checks' lines."""
    for cell in NOTEBOOK.cells:
        if cell.cell_type == "code" and notebooks.IGNORE_OUTPUT not in cell.metadata.get("tags", ()):
            shown = "".join(output.get("text", "?") for output in cell.outputs)
            assert shown == "" or re.fullmatch(r"✓ \w+: [^\d]*\d?[^\d]*\n", shown), cell.source
