"""Mixtures: FLAN's cap, T5's temperature, exact counts at every length, and what is held out stays out."""

from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.instructions import InstructionTemplate, Mixture, Source, counts, rates, sources
from course_lib.instructions.mixture import CLUSTERS, spread
from course_lib.instructions.templates import task_templates

TEMPLATES = tuple(InstructionTemplate(name, f"{name} {{{{ n }}}} ||| {{{{ n }}}}") for name in "abc")


def made(sizes, templates=TEMPLATES):
    return [
        Source(name, [{"n": f"{name}{i}"} for i in range(size)], templates) for name, size in sizes.items()
    ]


def test_flans_rule():
    """At most 30k examples of a set, and none counts for more than 3k (Wei et al., 2022)."""
    found = rates({"small": 1_000, "middle": 3_000, "large": 100_000})
    assert found == pytest.approx({"small": 1 / 7, "middle": 3 / 7, "large": 3 / 7})
    assert rates({"a": 10, "b": 1_000_000}, cap=None, limit=30_000) == pytest.approx(
        {"a": 10 / 30_010, "b": 30_000 / 30_010}
    )


def test_temperature_levels_the_shares():
    sizes = {"a": 100, "b": 900}
    assert rates(sizes, temperature=2)["b"] == pytest.approx(30 / 40)  # square roots
    assert rates(sizes, temperature=1)["b"] == pytest.approx(0.9)
    assert rates(sizes, temperature=1e9)["b"] == pytest.approx(0.5)


SIZES = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 5_000), min_size=1)


@settings(max_examples=100, deadline=None)
@given(sizes=SIZES, cap=st.integers(1, 4_000), temperature=st.floats(1, 10), n=st.integers(0, 500))
def test_shares_sum_to_one_and_counts_to_n(sizes, cap, temperature, n):
    shares = rates(sizes, cap, temperature)
    assert sum(shares.values()) == pytest.approx(1) and shares.keys() == sizes.keys()
    found = counts(shares, n)
    assert sum(found.values()) == n
    assert all(abs(found[name] - shares[name] * n) < 1 for name in sizes)
    larger = sorted(sizes, key=sizes.__getitem__)
    assert all(shares[a] <= shares[b] + 1e-12 for a, b in pairwise(larger))


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.dictionaries(st.sampled_from("abcde"), st.integers(1, 40), min_size=1), seed=st.integers(0, 9)
)
def test_every_beginning_of_the_stream_has_its_shares(sizes, seed):
    mixture = Mixture(made(sizes), cap=20, seed=seed)
    shares = mixture.rates()
    seen = Counter()
    for n, told in enumerate(islice(mixture.stream(), 200), 1):
        seen[told.task] += 1
        assert all(abs(seen[name] - shares[name] * n) < len(sizes) for name in sizes)
    assert all(abs(seen[name] - shares[name] * 200) <= 1.5 for name in sizes)


def test_the_stream_is_the_same_for_a_seed_and_tells_all_before_it_repeats():
    mixture = Mixture(made({"x": 12, "y": 12}), seed=3)
    first = mixture.take(24)
    assert first == mixture.take(24) != Mixture(made({"x": 12, "y": 12}), seed=4).take(24)
    assert len({told.instruction.target for told in first}) == 24  # each example once
    wordings = Counter((told.task, told.template) for told in first)
    assert set(wordings.values()) == {4}  # each in each wording equally often


def test_a_limit_leaves_the_rest_out():
    told = Mixture(made({"x": 50}), limit=5, seed=1).take(20)
    assert len({each.instruction.target for each in told}) == 5


def test_held_out_clusters_and_wordings_stay_out():
    trained = sources([name for name in CLUSTERS if name != "entailment"], held_out=2)
    assert not {"terra", "rcb"} & {source.task for source in trained}
    assert {source.task for source in trained} | {"terra", "rcb"} == {t for c in CLUSTERS.values() for t in c}
    for source in trained:
        asking = [template for template in task_templates(source.task) if template.original_task]
        assert not set(asking[-2:]) & set(source.templates)
        assert len(source.templates) == 8
    told = {(each.task, each.template) for each in Mixture(trained).take(800)}
    assert told <= {(source.task, template.name) for source in trained for template in source.templates}


@pytest.mark.parametrize("name", [task for tasks in CLUSTERS.values() for task in tasks])
def test_fewer_wordings_are_the_first_of_more(name):
    templates = task_templates(name)
    assert sorted(t.name for t in spread(templates, 0)) == sorted(t.name for t in templates)
    kept = spread(templates, 2)
    assert kept[0].original_task and len(kept) == 8
    (style,) = sources(["style"], n_templates=3)
    assert style.templates == spread(task_templates("detox"), 0)[:3]


def test_templates_that_say_nothing_of_a_row_leave_it_out():
    only = (InstructionTemplate("t", "{% if n == 'x1' %}{{ n }} ||| {{ n }}{% endif %}"),)
    assert {each.instruction.target for each in Mixture(made({"x": 3}, only)).take(4)} == {"x1"}
    never = (InstructionTemplate("t", "{% if n == 'no' %}{{ n }} ||| {{ n }}{% endif %}"),)
    with pytest.raises(ValueError, match="templates of 'x' say nothing about any of its rows"):
        Mixture(made({"x": 3}, never)).take(1)


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        (Mixture([]), "A mixture of no tasks is empty"),
        (Mixture(made({"x": 0})), "Task 'x' has no examples"),
        (Mixture(made({"x": 3}), cap=0), "cap=0 must be positive"),
        (Mixture(made({"x": 3}), limit=0), "limit=0 must be positive"),
        (Mixture(made({"x": 3}), temperature=0.0), r"temperature=0\.0 must be positive"),
        (Mixture(made({"x": 3}, ())), "Task 'x' has no templates left"),
    ],
)
def test_a_mixture_of_nothing_says_why(mixture, message):
    with pytest.raises(ValueError, match=message):
        mixture.take(1)


def test_no_such_cluster():
    with pytest.raises(ValueError, match="There is no cluster 'nli': entailment"):
        sources(["nli"])
