"""Tokens are bytes: nothing is lost between a text and its tokens, and every label can be drawn."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.pretrain import train_tokenizer
from course_lib.tokens import byte_of_letter, bytes_per_token, token_bytes, token_labels


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["кот кот кошка", "the cat sat"] * 5, 300)


def test_gpt2s_alphabet_names_every_byte_once():
    assert sorted(byte_of_letter().values()) == list(range(256))
    from tokenizers.pre_tokenizers import ByteLevel

    assert set(byte_of_letter()) == set(ByteLevel.alphabet())


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_the_bytes_of_the_tokens_are_the_bytes_of_the_text(tokenizer, text):
    if "<|endoftext|>" not in text:
        assert b"".join(token_bytes(tokenizer, tokenizer(text)["input_ids"])) == text.encode()


def test_special_tokens_give_their_name(tokenizer):
    assert token_bytes(tokenizer, [tokenizer.eos_token_id]) == [b"<|endoftext|>"]


def test_labels_show_spaces_line_breaks_and_parts_of_letters(tokenizer):
    def labels(text):
        return token_labels(tokenizer, tokenizer(text)["input_ids"])

    assert labels(" кот") == ["·кот"]
    assert "↵" in labels("кот\nкот")
    assert labels("🦔") == ["F0", "9F", "A6", "94"]


def test_bytes_per_token_counts_bytes_not_letters(tokenizer):
    n_tokens = len(tokenizer("кот")["input_ids"])
    assert bytes_per_token(tokenizer, ["кот"]) == 6 / n_tokens
    assert bytes_per_token(tokenizer, ["🦔", "🦔"]) == 1.0
    with pytest.raises(ValueError, match="at least one text"):
        bytes_per_token(tokenizer, ["", ""])
