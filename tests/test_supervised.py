"""Supervised tuning: columns, a loss on answers alone, packing without leaks, TRL's trainer as the peer."""

import copy

import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import T5Config, T5ForConditionalGeneration, set_seed

from course_lib.instructions import (
    CHAT_TEMPLATE,
    Instruction,
    Mixture,
    as_columns,
    as_messages,
    choose,
    collate,
    completion_loss,
    encode,
    encode_all,
    from_messages,
    packed,
    packing_mask,
    sft_trainer,
    sources,
    tune,
    write,
)
from course_lib.instructions.answers import completion_scores, turn
from course_lib.instructions.packing import batches, collate_pairs
from course_lib.instructions.supervised import Encoded, encode_pairs
from course_lib.models import load_lm
from course_lib.scoring import score
from tests.architectures import SHAPES, random_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small():
    return load_lm("tiny-0.5m", dtype="float32")


@pytest.fixture(scope="module")
def told():
    mixed = Mixture(sources(["style", "paraphrase", "translation"]))
    return [each.instruction for each in mixed.take(12)]


@pytest.fixture
def seq2seq(small):
    set_seed(0)
    shape = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    special = {"pad_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    return T5ForConditionalGeneration(T5Config(vocab_size=len(small[1]), **shape, **special)).eval()


def test_both_kinds_of_columns_are_the_same_text(small, told):
    tokenizer = copy.deepcopy(small[1])
    tokenizer.chat_template = CHAT_TEMPLATE
    for instruction in told:
        columns, messages = as_columns(instruction), as_messages(instruction)["messages"]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        assert text == columns["prompt"] + columns["completion"] + tokenizer.eos_token
        asked = tokenizer.apply_chat_template(messages[:1], tokenize=False, add_generation_prompt=True)
        assert asked == columns["prompt"]
        assert from_messages(messages, tokenizer.eos_token) == columns


def test_a_chat_of_several_turns_is_learned_at_its_last_answer(small):
    tokenizer = copy.deepcopy(small[1])
    tokenizer.chat_template = CHAT_TEMPLATE
    messages = [
        {"role": role, "content": text}
        for role, text in zip(
            ["user", "assistant"] * 2, ("Кто ты?", "Я кот.", "А где живёшь?", "Дома."), strict=True
        )
    ]
    columns = from_messages(messages, tokenizer.eos_token)
    assert columns["completion"] == " Дома."
    whole = columns["prompt"] + columns["completion"] + tokenizer.eos_token
    assert whole == tokenizer.apply_chat_template(messages, tokenize=False)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ((), "no user turn"),
        (("assistant",), "no user turn"),
        (("system", "user", "assistant"), "role 'system'"),
        (("user",), "must be user, assistant"),
        (("user", "user", "assistant", "assistant"), "must be user, assistant"),
    ],
)
def test_a_chat_out_of_order_says_so(roles, message):
    with pytest.raises(ValueError, match=message):
        from_messages([{"role": role, "content": "а"} for role in roles], "<|endoftext|>")


def test_only_the_completion_and_the_end_of_text_are_learned(small):
    tokenizer = small[1]
    one = encode(tokenizer, {"prompt": "Кто там?\nАссистент:", "completion": " Кот."})
    assert tokenizer.decode(one.ids[one.n_prompt :]) == " Кот.<|endoftext|>"
    batch = collate([[one]], tokenizer.pad_token_id)
    assert (batch["labels"][0, : one.n_prompt] == -100).all()
    assert batch["labels"][0, one.n_prompt :].tolist() == one.ids[one.n_prompt :]
    with pytest.raises(ValueError, match="completion of «…Кто там\\?» is empty"):
        encode(tokenizer, {"prompt": "Кто там?", "completion": " "})


def test_what_is_too_long_is_counted_and_never_cut(small):
    rows = [{"prompt": "А" * n, "completion": " Б."} for n in (5, 300, 7, 400)]
    fitting, too_long = encode_all(small[1], rows, 64)
    assert too_long == [1, 3] and [one.ids for one in fitting] == [
        encode(small[1], rows[i]).ids for i in (0, 2)
    ]
    with pytest.raises(ValueError, match="None of the 4 rows fits into 3 tokens"):
        encode_all(small[1], rows, 3)


LENGTHS = st.lists(st.integers(2, 64), min_size=1, max_size=40)


@settings(max_examples=80, deadline=None)
@given(lengths=LENGTHS)
def test_packing_keeps_every_example_and_no_row_is_too_long(lengths):
    examples = [Encoded(list(range(1, n + 1)), 1) for n in lengths]
    rows = packed(examples, 64)
    assert sorted(len(one.ids) for row in rows for one in row) == sorted(lengths)
    assert all(sum(len(one.ids) for one in row) <= 64 for row in rows)
    halves = sum(sum(len(one.ids) for one in row) <= 32 for row in rows)
    assert halves <= 1  # two such rows would have been one
    with pytest.raises(ValueError, match="65 tokens, and a row 64"):
        packed([Encoded([1] * 65, 1)], 64)


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_the_mask_lets_a_place_see_its_own_example_up_to_itself(lengths):
    segments = torch.tensor([[i for i, n in enumerate(lengths) for _ in range(n)]])
    mask = packing_mask(segments)[0, 0]
    for i in range(len(mask)):
        for j in range(len(mask)):
            assert mask[i, j] == (j <= i and segments[0, i] == segments[0, j])


@pytest.mark.parametrize("architecture", SHAPES)
def test_packed_and_padded_give_the_same_loss_and_no_example_sees_another(architecture):
    model = random_model(architecture)
    drawn = torch.Generator().manual_seed(0)
    examples = [
        Encoded(torch.randint(1, model.config.vocab_size, (n,), generator=drawn).tolist(), n // 2)
        for n in (7, 5, 9, 3)
    ]
    padded = completion_loss(model, collate([[one] for one in examples], 0))
    together = completion_loss(model, collate([examples], 0))
    torch.testing.assert_close(together, padded, rtol=1e-5, atol=1e-6)
    changed = [Encoded([1] * 7, 3), *examples[1:]]  # the first is another, the rest stays as it was
    with torch.no_grad():
        outputs = [
            model(**{k: v for k, v in collate([some], 0).items() if k != "labels"}, use_cache=False).logits[
                0, 7:
            ]
            for some in (examples, changed)
        ]
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("architecture", SHAPES)
def test_the_loss_is_transformers_own(architecture):
    model = random_model(architecture)
    one = Encoded(list(range(1, 12)), 4)
    ids = torch.tensor([one.ids])
    labels = ids.masked_fill(torch.arange(11) < 4, -100)
    with torch.no_grad():
        theirs = model(input_ids=ids, labels=labels).loss
        torch.testing.assert_close(completion_loss(model, collate([[one]], 0)), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["columns", "messages"])
def test_trls_trainer_gives_the_same_loss_on_the_same_batch(small, told, tmp_path, kind):
    model, tokenizer = copy.deepcopy(small[0]), copy.deepcopy(small[1])
    tokenizer.chat_template = CHAT_TEMPLATE
    as_rows = as_columns if kind == "columns" else as_messages
    rows = Dataset.from_list([as_rows(instruction) for instruction in told[:6]])
    trainer = sft_trainer(
        model, tokenizer, rows, tmp_path, max_length=512, per_device_train_batch_size=6, disable_tqdm=True
    )
    batch = next(iter(trainer.get_train_dataloader()))
    model.eval()
    with torch.no_grad():
        theirs = trainer.compute_loss(model, dict(batch))
        encoded = [encode(tokenizer, as_columns(instruction)) for instruction in told[:6]]
        ours = completion_loss(model, collate([[one] for one in encoded], tokenizer.pad_token_id))
        packs = completion_loss(model, collate(packed(encoded, 512), tokenizer.pad_token_id))
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-5)
    assert packs.item() == pytest.approx(theirs.item(), abs=1e-5)
    learned = {tuple(labels[labels != -100].tolist()) for labels in batch["labels"]}
    assert learned == {tuple(one.ids[one.n_prompt :]) for one in encoded}


def test_an_encoder_decoder_has_the_same_rows_and_its_own_loss(small, told, seq2seq):
    tokenizer = small[1]
    pairs = encode_pairs(tokenizer, [as_columns(instruction) for instruction in told[:4]])
    batch = collate_pairs(pairs, tokenizer.pad_token_id)
    with torch.no_grad():
        theirs = seq2seq(**batch).loss
        each = [completion_loss(seq2seq, collate_pairs([pair], 0)) * len(pair[1]) for pair in pairs]
        torch.testing.assert_close(completion_loss(seq2seq, batch), theirs)
        total = sum(len(completion) for _, completion in pairs)
        torch.testing.assert_close(torch.stack(each).sum() / total, theirs, rtol=1e-5, atol=1e-6)


def test_the_loop_learns_and_repeats_itself(small, told):
    tokenizer = small[1]
    encoded = [encode(tokenizer, as_columns(instruction)) for instruction in told]
    losses = []
    for _ in range(2):
        model = copy.deepcopy(small[0])
        ready = batches(packed(encoded, 512), 1, tokenizer.pad_token_id, seed=1)
        losses.append(tune(model, ready, 12, learning_rate=3e-3, progress=False))
        assert not model.training
    assert losses[0] == losses[1] and losses[0][-1] < losses[0][0] / 2


def test_a_loop_that_cannot_go_on_says_why(small, told):
    tokenizer = small[1]
    one = encode(tokenizer, as_columns(told[0]))
    batch = collate([[one]], 0)
    with pytest.raises(ValueError, match="There were 2 batches for 3 steps"):
        tune(copy.deepcopy(small[0]), [batch, batch], 3, progress=False)
    with pytest.raises(ValueError, match=r"loss of step \d is (nan|inf): lower the learning rate"):
        tune(
            copy.deepcopy(small[0]),
            [batch] * 5,
            5,
            learning_rate=1e30,
            warmup=0,
            max_norm=1e30,
            progress=False,
        )
    with pytest.raises(ValueError, match="no completion"):
        completion_loss(small[0], batch | {"labels": torch.full_like(batch["labels"], -100)})


def test_choices_are_ranked_by_scoring_and_by_an_encoder_decoder(small, told, seq2seq):
    model, tokenizer = small
    some = [instruction for instruction in told if instruction.choices][:4]
    hits = choose(model, tokenizer, some)
    for instruction, hit in zip(some, hits, strict=True):
        rows = [as_columns(Instruction(instruction.prompt, choice)) for choice in instruction.choices]
        scored = score(model, tokenizer, [(row["prompt"], row["completion"]) for row in rows])
        best = max(range(len(rows)), key=lambda i: scored[i].logprob)
        assert hit == (instruction.choices[best] == instruction.target)
    rows = [as_columns(instruction) for instruction in some]
    together = completion_scores(seq2seq, tokenizer, rows)
    alone = [completion_scores(seq2seq, tokenizer, [row])[0] for row in rows]
    torch.testing.assert_close(torch.tensor(together), torch.tensor(alone), rtol=1e-5, atol=1e-4)
    assert choose(seq2seq, tokenizer, some).shape == (len(some),)
    with pytest.raises(ValueError, match="none of the choices"):
        choose(model, tokenizer, [Instruction("а", "б", ("в", "г"))])


def test_answers_end_with_the_turn(small, seq2seq):
    assert turn(" Да.\nПользователь: Что?\nАссистент: Нет.") == "Да."
    assert turn("Да.\n— Нет.") == "Да.\n— Нет."
    for model in (small[0], seq2seq):
        texts = write(model, small[1], ["Привет!", "Как тебя зовут?"], 8)
        assert len(texts) == 2 and texts == write(model, small[1], ["Привет!", "Как тебя зовут?"], 8)
