"""Demonstrations: the deck's use cases, shares, sources, sizes; validation asks what training did not."""

from collections import Counter

import pytest

from course_lib.instructions.supervised import asked
from course_lib.instructions.use_cases import (
    LONG,
    OF_A_CUSTOMER,
    SIZES,
    USE_CASES,
    deduplicated,
    demonstrations,
    few_shot_prompt,
    first_prompt,
)
from course_lib.world.demonstrations import HEADERS, make
from tests.test_splits import names_pattern


@pytest.fixture(scope="module")
def shown():
    return demonstrations()


def chat(prompt, answer="Да.", **columns):
    return {
        "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}],
        **columns,
    }


def test_sizes_and_sources_are_a_tenth_of_the_decks(shown):
    found = {(part, source): n for part in shown for source, n in Counter(shown[part]["source"]).items()}
    assert found == {cell: round(size / 10) for cell, size in SIZES.items()}
    assert sum(SIZES.values()) == 11_295 + 1_430 + 1_550 + 103


def test_use_cases_have_the_decks_shares(shown):
    assert sum(USE_CASES.values()) == pytest.approx(99.9)  # as the deck prints them
    for part in shown:
        n, found = len(shown[part]), Counter(shown[part]["category"])
        assert found.keys() == USE_CASES.keys()
        for name, percent in USE_CASES.items():
            assert abs(found[name] - percent / 99.9 * n) <= 2, (part, name)


def test_every_chat_is_one_and_none_is_empty(shown):
    for part in shown:
        for row in shown[part]:
            roles = [message["role"] for message in row["messages"]]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            assert all(message["content"].strip() for message in row["messages"])
            assert not any(mark in first_prompt(row) for mark in ("{", "}", ".».", "City(", "Noun("))
            assert "City(" not in row["messages"][-1]["content"]
            assert (row["source"] == "customer") == (row["customer"] >= 0)


def test_validation_asks_other_things_of_other_people(shown):
    train, validation = (Counter(map(first_prompt, shown[part])) for part in ("train", "validation"))
    assert len(train.keys() & validation.keys()) <= 3
    held_out = names_pattern(held_out=True)
    for row in shown["train"]:
        text = " ".join(message["content"] for message in row["messages"])
        assert held_out.search(text) is None, text
    customers = [set(shown[part]["customer"]) - {-1} for part in shown]
    assert not customers[0] & customers[1]


def test_the_same_seed_gives_the_same_and_another_others():
    again = demonstrations(scale=0.01)
    assert again["train"].to_list() == demonstrations(scale=0.01)["train"].to_list()
    assert again["train"].to_list() != demonstrations(scale=0.01, seed=1)["train"].to_list()
    assert make("chat", "train", 5) == make("chat", "train", 5)


def test_prompts_with_a_long_prefix_in_common_are_one():
    header = "Ты — помощник городской газеты. Пиши просто и коротко. "
    assert len(header) > LONG
    rows = [chat(header + end, customer=1) for end in ("Б.", "А.", "В.")]
    rows += [chat(f"Коротко {i}", customer=1) for i in range(3)]
    left = [first_prompt(row) for row in deduplicated(rows)]
    assert left == [header + "А.", "Коротко 0", "Коротко 1", "Коротко 2"]
    assert len(deduplicated([chat("Да?"), chat("Да?")])) == 1


def test_no_customer_has_too_many():
    rows = [chat(f"{i} — что это?", customer=i % 2) for i in range(2 * OF_A_CUSTOMER + 50)]
    assert set(Counter(row["customer"] for row in deduplicated(rows)).values()) == {OF_A_CUSTOMER}
    assert len(deduplicated([row | {"customer": -1} for row in rows])) == len(rows)


def test_customers_headers_are_among_their_prompts_once(shown):
    prompts = [first_prompt(row) for row in shown["train"] if row["source"] == "customer"]
    for header in HEADERS:
        assert sum(prompt.startswith(header[:LONG]) for prompt in prompts) <= 1


def test_the_few_shot_baseline_shows_solved_prompts_first():
    text = few_shot_prompt([chat("Сколько будет 2 + 2?", "4.")], asked("Как дела?"))
    assert text == (
        "Пользователь: Сколько будет 2 + 2?\nАссистент: 4.\n\nПользователь: Как дела?\nАссистент:"
    )
