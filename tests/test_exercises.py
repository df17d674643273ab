"""The seminars' checks: right answers pass, each usual mistake is named, a blank notebook stays friendly.

The functions under test are the solved notebook's own; a mistake is a solution with a few words changed.
"""

# ruff: noqa: E501 (one mistake a line)

from itertools import combinations, pairwise

import pytest
import torch

from course_lib import notebooks
from course_lib.exercises import NotYet, close, compare
from course_lib.exercises import decoder as checks
from course_lib.exercises import decoder_parts as parts
from course_lib.gpt_weights import read_checkpoint
from tests.solved import changed, functions, run

SOLVED = notebooks.ROOT / "seminars" / "01_build_the_decoder.ipynb"
NAMES = checks.__all__


CELLS = functions(SOLVED)


def define(*changed: tuple[str, str]) -> dict:
    """Run all function cells of the solved notebook, some of them changed, and return what they define."""
    space = {"torch": torch, "Tensor": torch.Tensor, "F": torch.nn.functional, "pairwise": pairwise}
    for name, source in {name: CELLS[name] for name in ("block_weights", *NAMES)}.items():
        for target, text in changed:
            source = text if target == name else source
        run(name, source, space)
    return space


@pytest.fixture(scope="module")
def model():
    """Return a transformers GPT-2 with large random weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    config = GPT2Config(
        vocab_size=61, n_positions=64, n_embd=32, n_layer=2, n_head=2, initializer_range=0.2, **special
    )
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="module")
def context(model):
    """Return, by exercise, what its check takes besides the function."""
    weights = read_checkpoint(model)[1]

    def next_logits(ids):
        with torch.no_grad():
            return model(ids).logits

    return {"decoder": (weights, model), "generate": (next_logits, model, torch.tensor([[5, 9, 2]]))}


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes_with_one_line(name, context, capsys):
    check = getattr(checks, name)
    student = define()[name]
    check(student, *context.get(name, ()))
    printed = capsys.readouterr().out
    assert printed.startswith(f"✓ {name}: ") and printed.count("\n") == 1
    assert check.working(student) is student
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_that_stands_in_passes_too(name, context, capsys):
    check = getattr(checks, name)
    check(check.reference, *context.get(name, ()))
    assert capsys.readouterr().out.startswith("✓")


# exercise, what the sentence must say, the words of the solution that change: old, new, old, new, ...
MISTAKES = [
    ("bpe_step", "rarest pair", "max(counts", "min(counts"),
    ("bpe_step", "the pair with the largest ids", "max(counts, key=counts.get)", "max(counts)"),
    ("bpe_step", "every second pair only", "pairwise(ids)", "zip(ids[::2], ids[1::2])"),
    ("bpe_step", "the first occurrence only", "i += 2 if found else 1", "i += 2 if found else 1\n        best = best if not found else (-1, -1)", "return best,", "return (1, 2),"),
    ("bpe_step", "second half of each pair is still there", "i += 2 if found else 1", "i += 1"),
    ("bpe_step", "and the last token got lost: walk by index", "i += 2 if found else 1", "i += 1", "while i < len(ids):", "while i < len(ids) - 1:"),
    ("bpe_step", "the last token got lost", "while i < len(ids):", "while i < len(ids) - 1:"),
    ("bpe_step", "you merged (2, 1) as well", "tuple(ids[i : i + 2]) == best", "set(ids[i : i + 2]) == set(best)"),
    ("bpe_step", "of equally frequent pairs the first wins", "max(counts, key", "max(reversed(counts), key"),
    ("bpe_step", "return the pair, a tuple", "return best, merged", "return merged"),
    ("embed", "you forgot the position embeddings", " + wpe[: ids.shape[1]]", ""),
    ("embed", "you forgot the token embeddings", "wte[ids] +", "0 * wte[ids] +"),
    ("embed", "positions start at 1", "wpe[: ids.shape[1]]", "wpe[1 : ids.shape[1] + 1]"),
    ("embed", "looked positions up by token id", "wpe[: ids.shape[1]]", "wpe[ids]"),
    ("embed", "positions count from the end", "wpe[: ids.shape[1]]", "wpe[: ids.shape[1]].flip(0)"),
    ("embed", "all tokens of a text got the same position", "wpe[: ids.shape[1]]", "wpe[: len(ids), None]"),
    ("embed", "multiplied: add them", "] + wpe", "] * wpe"),
    ("embed", "stand side by side", "wte[ids] + wpe[: ids.shape[1]]", "torch.cat([wte[ids], wpe[: ids.shape[1]].expand(len(ids), -1, -1)], -1)"),
    ("embed", "has the shape (3, 6), it should have (3, 4, 6)", "wte[ids] + wpe[: ids.shape[1]]", "wte[ids[:, 0]]"),
    ("attention", "the mask is upside down: token 0 sees the future", ".tril()", ".triu()"),
    ("attention", "there is no mask", ".tril()", ""),
    ("attention", "a token must see itself too", ".tril()", ".tril(-1)"),
    ("attention", "the mask is inside out", "~allowed", "allowed"),
    ("attention", "hidden scores became 0", 'float("-inf")', "0.0"),
    ("attention", "the mask came after the softmax", 'scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1)', "scores.softmax(-1) * allowed"),
    ("attention", "you divided by d_head instead of its square root", "d_head**0.5", "d_head"),
    ("attention", "`d ** 1 / 2` is half of d", "/ d_head**0.5", "/ (d_head**1 / 2)"),
    ("attention", "divides by d, and then by 2", "/ d_head**0.5", "/ d_head**1 / 2"),
    ("attention", "there is no mask, and no division", ".tril()", "", "/ d_head**0.5", ""),
    ("attention", "and the division by the square root of d_head is missing", ".tril()", ".triu()", "/ d_head**0.5", ""),
    ("attention", "you multiplied by the square root", "/ d_head**0.5", "* d_head**0.5"),
    ("attention", "you forgot to divide", "/ d_head**0.5", ""),
    ("attention", "softmax over the wrong axis", "softmax(dim=-1)", "softmax(dim=-2)"),
    ("attention", "queries and keys changed places", "q @ k.transpose(-2, -1)", "k @ q.transpose(-2, -1)"),
    ("attention", "the two results changed places", "return weights @ v, weights", "return weights, weights @ v"),
    ("attention", "return two tensors", "return weights @ v, weights", "return weights @ v"),
    ("attention", "the weights got transposed", "return weights @ v", "return weights.mT @ v"),
    ("attention", "this is a mix of keys", "return weights @ v", "return weights @ k"),
    ("attention", "this is a mix of queries", "return weights @ v", "return weights @ q"),
    ("attention", "give NaN: exp overflows", 'scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1)', "scores.exp() * allowed / (scores.exp() * allowed).sum(-1, keepdim=True)"),
    ("attention", "let the future through", 'float("-inf")', "-1e2"),
    ("attention", "count dimensions from the end", "transpose(-2, -1)", "transpose(1, 2)"),
    ("multi_head_attention", "heads were mixed: view before transpose", "view(batch, time, n_head, -1).transpose(1, 2)", "reshape(batch, n_head, time, -1)"),
    ("multi_head_attention", "the first d_head are head 0", "view(batch, time, n_head, -1).transpose(1, 2)", "view(batch, time, -1, n_head).permute(0, 3, 1, 2)"),
    ("multi_head_attention", "joined without transposing back", "mixed.transpose(1, 2).reshape", "mixed.reshape"),
    ("multi_head_attention", "all heads act as one", "n_head, -1)", "1, -1)"),
    ("multi_head_attention", "queries and keys changed places", "attention(q, k, v)", "attention(k, q, v)"),
    ("multi_head_attention", "yours is queries, values, keys", "attention(q, k, v)", "attention(q, v, k)"),
    ("multi_head_attention", "yours is values, keys, queries", "attention(q, k, v)", "attention(v, k, q)"),
    ("multi_head_attention", "divided by the root of n_embd", "attention(q, k, v)", "attention(q * n_head**-0.5, k, v)"),
    ("multi_head_attention", "there is no mask", "mixed, _ = attention(q, k, v)", "mixed = F.scaled_dot_product_attention(q, k, v)"),
    ("multi_head_attention", "both biases are missing", ' + w["attn.c_attn.bias"]', "", ' + w["attn.c_proj.bias"]', ""),
    ("multi_head_attention", "the bias of c_attn is missing", ' + w["attn.c_attn.bias"]', ""),
    ("multi_head_attention", "the bias of c_proj is missing", ' + w["attn.c_proj.bias"]', ""),
    ("multi_head_attention", "output projection, c_proj, is missing", ' @ w["attn.c_proj.weight"] + w["attn.c_proj.bias"]', ""),
    ("multi_head_attention", "c_proj is transposed", 'w["attn.c_proj.weight"] +', 'w["attn.c_proj.weight"].T +'),
    ("block", "post-norm instead of pre-norm", "x = x + multi_head_attention(normed, w, n_head)", "x = F.layer_norm(x + multi_head_attention(x, w, n_head), x.shape[-1:], w['ln_1.weight'], w['ln_1.bias'])", "up = F.gelu(normed", "up = F.gelu(x", 'return x + up @ w["mlp.c_proj.weight"] + w["mlp.c_proj.bias"]', 'return F.layer_norm(x + up @ w["mlp.c_proj.weight"] + w["mlp.c_proj.bias"], x.shape[-1:], w["ln_2.weight"], w["ln_2.bias"])'),
    ("block", "the residual stream got normalised", "x = x + multi", "x = normed + multi", "return x +", "return normed +"),
    ("block", "both residual connections are missing", "x = x + multi", "x = multi", "return x + up", "return up"),
    ("block", "around the attention is missing", "x = x + multi", "x = multi"),
    ("block", "around the MLP is missing", "return x + up", "return up"),
    ("block", "both layer norms are missing", "attention(normed", "attention(x", "gelu(normed", "gelu(x"),
    ("block", "norm before the attention is missing", "attention(normed", "attention(x"),
    ("block", "norm before the MLP is missing", "gelu(normed", "gelu(x"),
    ("block", "both layer norms are ln_1", "ln_2.weight\"]", "ln_1.weight\"]", "ln_2.bias\"]", "ln_1.bias\"]"),
    ("block", "the MLP read the block's input", "x = x + multi_head", "start, x = x, x + multi_head", "normed = F.layer_norm(x, x.shape[-1:], w[\"ln_2", "normed = F.layer_norm(start, x.shape[-1:], w[\"ln_2"),
    ("block", "the MLP came before the attention", "n_head)\n    normed", "n_head) * 0\n    normed", 'return x + up @ w["mlp.c_proj.weight"] + w["mlp.c_proj.bias"]', 'x = x + up @ w["mlp.c_proj.weight"] + w["mlp.c_proj.bias"]\n    return x + multi_head_attention(F.layer_norm(x, x.shape[-1:], w["ln_1.weight"], w["ln_1.bias"]), w, n_head)'),
    ("block", "both biases of the MLP are missing", ' + w["mlp.c_fc.bias"]', "", ' + w["mlp.c_proj.bias"]', ""),
    ("block", "the bias of the MLP's c_fc is missing", ' + w["mlp.c_fc.bias"]', ""),
    ("block", "the bias of the MLP's c_proj is missing", ' + w["mlp.c_proj.bias"]', ""),
    ("block", "exact GELU instead of tanh", ', approximate="tanh")', ")"),
    ("block", "ReLU instead of GELU", "F.gelu(", "F.relu(", ', approximate="tanh")', ")"),
    ("block", "SiLU instead of GELU", "F.gelu(", "F.silu(", ', approximate="tanh")', ")"),
    ("block", "the MLP lacks its GELU", "F.gelu(", "(", ', approximate="tanh")', ")"),
    ("block", "changes its input in place", "x = x + multi_head_attention(normed, w, n_head)", "x += multi_head_attention(normed, w, n_head)"),
    ("decoder", "ln_f, is missing", 'x = F.layer_norm(x, x.shape[-1:], weights["ln_f.weight"], weights["ln_f.bias"])', "pass"),
    ("decoder", "you forgot the position embeddings", 'embed(ids, weights["wte.weight"], weights["wpe.weight"])', 'weights["wte.weight"][ids]'),
    ("decoder", "from the last to the first", "range(n_layer)", "reversed(range(n_layer))"),
    ("decoder", "every block used the weights of block 0", "block_weights(weights, layer)", "block_weights(weights, 0)"),
    ("decoder", "the last block did not run", "range(n_layer)", "range(n_layer - 1)"),
    ("decoder", "block 0 did not run", "range(n_layer)", "range(1, n_layer)"),
    ("decoder", "only block 0 ran", "range(n_layer)", "range(1)"),
    ("decoder", "no block ran", "range(n_layer)", "range(0)"),
    ("decoder", "these are probabilities", 'weights["wte.weight"].transpose(0, 1)', '(weights["wte.weight"].transpose(0, 1))\n    return out.softmax(-1)', "return x @", "out = x @"),
    ("decoder", "these are log-probabilities", 'weights["wte.weight"].transpose(0, 1)', '(weights["wte.weight"].transpose(0, 1))\n    return out.log_softmax(-1)', "return x @", "out = x @"),
    ("decoder", "the logits of the last position", "return x @", "return x[:, -1] @"),
    ("decoder", "small random weights are fine, the real ones are not", "range(n_layer)", "range(3)"),
    ("generate", "argmax over the wrong position", "[:, -1]", "[:, 0]"),
    ("generate", "the position before the last", "[:, -1]", "[:, -2]"),
    ("generate", "argmax over time", "next_logits(ids)[:, -1].argmax(dim=-1, keepdim=True)", "next_logits(ids).argmax(dim=1)[:, -1:]"),
    ("generate", "argmin", "argmax", "argmin"),
    ("generate", "every text got the first one's token", ".argmax(dim=-1, keepdim=True)", "[:1].argmax(dim=-1, keepdim=True).expand(len(ids), 1)"),
    ("generate", "read the newest token only", "next_logits(ids)", "next_logits(ids[:, -1:])"),
    ("generate", "read the prompt every time", "for _ in", "prompt = ids\n    for _ in", "next_logits(ids)", "next_logits(prompt)"),
    ("generate", "new tokens went in front", "[ids, new]", "[new, ids]"),
    ("generate", "the prompt is missing", "for _ in", "time = ids.shape[1]\n    for _ in", "return ids", "return ids[:, time:]"),
    ("generate", "one token is missing", "range(n_new)", "range(n_new - 1)"),
    ("generate", "one token too many", "range(n_new)", "range(n_new + 1)"),
    ("next_token_probs", "you multiplied by the temperature", "logits / temperature", "logits * temperature"),
    ("next_token_probs", "the k-th logit is raw", "logits < kept", "logits / temperature < kept"),
    ("next_token_probs", "the temperature does nothing", " / temperature", ""),
    ("next_token_probs", "the temperature came after the softmax", "(logits / temperature).softmax(dim=-1)", "logits.softmax(dim=-1) / temperature"),
    ("next_token_probs", "top_k does nothing", "logits < kept", "logits < -1e9"),
    ("next_token_probs", "the least likely tokens were kept", "topk(top_k)", "topk(top_k, largest=False)", "logits < kept", "logits > kept"),
    ("next_token_probs", "one token too few", "logits < kept", "logits <= kept"),
    ("next_token_probs", "one token too many", "topk(top_k)", "topk(top_k + 1)"),
    ("next_token_probs", "dropped tokens became 0", 'float("-inf")', "0.0"),
    ("next_token_probs", "what is left does not sum to 1", 'logits = logits.masked_fill(logits < kept, float("-inf"))', "drop = logits < kept", "softmax(dim=-1)", "softmax(dim=-1).masked_fill(drop, 0)"),
    ("next_token_probs", "softmax over the batch", "softmax(dim=-1)", "softmax(dim=0)"),
]  # fmt: skip


CASES = [pytest.param(name, says, words, id=f"{name}-{says}") for name, says, *words in MISTAKES]


@pytest.mark.parametrize(("name", "says", "words"), CASES)
def test_a_usual_mistake_is_named(name, says, words, context):
    student = define((name, changed(name, CELLS[name], words)))[name]
    with pytest.raises(NotYet) as caught:
        getattr(checks, name)(student, *context.get(name, ()))
    sentence = str(caught.value)
    assert sentence.startswith(f"✗ {name}: ") and says in sentence
    assert "\n" not in sentence
    assert caught.value._render_traceback_() == [sentence]


def test_the_mistakes_of_a_check_all_differ_and_are_all_tested(context, monkeypatch):
    tables = []

    def spy(answer, expected, axes, wrong=None, what="the result"):
        tables.append((expected, wrong or {}))
        compare(answer, expected, axes, wrong, what)

    for module in (checks, parts):
        monkeypatch.setattr(module, "compare", spy)
    space = define()
    for name in NAMES:
        getattr(checks, name)(space[name], *context.get(name, ()))
    said = [says for _, says, *_ in MISTAKES]
    for expected, wrong in tables:
        for one, other in combinations([("right", expected), *wrong.items()], 2):
            assert not close(one[1], other[1]), (one[0], other[0])
        assert [m for m in wrong if not any(says in m for says in said)] == []
    assert sum(len(wrong) for _, wrong in tables) > 70


# what goes wrong in any exercise


def blank(ids, wte, wpe):
    raise NotImplementedError("write your code here, then run the check")


def crash(ids, wte, wpe):
    return wte @ wpe


@pytest.mark.parametrize(
    ("student", "sentence"),
    [
        (blank, "not written yet: complete the function above, run its cell"),
        (lambda ids, wte, wpe: None, "your function returns None: its last line must be"),
        (lambda ids, wte, wpe: 5, r"the result must be a tensor \(batch, time, n_embd\), yours is of type int"),
        (lambda ids: ids, "it raised TypeError: .*takes 1 positional argument but 3 were given"),
        (crash, r"line \d+ of the cell, `return wte @ wpe`, raised RuntimeError: mat1 and mat2 shapes"),
        (lambda ids, wte, wpe: wte[ids] / 0, "contains NaN or infinity"),
        (lambda ids, wte, wpe: wte[ids] + 3, r"other numbers, most of all at \[\d, \d, \d\], an index in \(batch"),
        (lambda ids, wte, wpe: wte.mul_(0)[ids], "changes its input in place"),
        (torch.ones(3), r"give the check the function itself, without calling it: checks.embed\(embed\)"),
    ],
)  # fmt: skip
def test_whatever_goes_wrong_is_one_sentence(student, sentence, capsys):
    with pytest.raises(NotYet, match=f"✗ embed: .*{sentence}"):
        checks.embed(student)
    assert capsys.readouterr().out == ""


def test_an_error_in_an_earlier_function_is_placed_there():
    student = define(
        ("attention", changed("attention", CELLS["attention"], ("q @ k.transpose", "q @ v.what")))
    )
    with pytest.raises(
        NotYet,
        match=r"line \d+ of the cell, `.*attention\(q, k, v\).*`, raised AttributeError: .*'what'.*in `attention`, at",
    ):
        checks.multi_head_attention(student["multi_head_attention"])


def test_an_earlier_exercise_left_blank_is_named(capsys):
    source = notebooks.blank(CELLS["attention"])
    student = define(("attention", source))["multi_head_attention"]
    with pytest.raises(
        NotYet, match=r"calls `attention`.*attention = checks\.attention\.working\(attention\)"
    ):
        checks.multi_head_attention(student)
    space = define(("attention", source))
    space["attention"] = checks.attention.working(space["attention"])
    assert "the course's attention" in capsys.readouterr().out
    checks.multi_head_attention(space["multi_head_attention"])
    assert "✓ multi_head_attention" in capsys.readouterr().out


def test_a_function_that_fails_again_is_no_longer_used(capsys):
    checks.embed(good := checks.embed.reference)
    assert checks.embed.working(good) is good
    with pytest.raises(NotYet):
        checks.embed(blank)
    assert checks.embed.working(blank) is good
    assert "yours has not passed its check yet" in capsys.readouterr().out


def test_references_agree_with_transformers(model, context):
    weights, _ = context["decoder"]
    ids = torch.randint(61, (2, 11), generator=torch.Generator().manual_seed(1))
    x = checks.embed.reference(ids, weights["wte.weight"], weights["wpe.weight"])
    with torch.no_grad():
        states = model(ids, output_hidden_states=True).hidden_states
    torch.testing.assert_close(x, states[0], atol=1e-5, rtol=0)
    x = checks.block.reference(x, parts.block_weights(weights, 0), 2)
    torch.testing.assert_close(x, states[1], atol=1e-5, rtol=0)
