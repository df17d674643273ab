"""A claim prints one stable line, lands on the scoreboard once, and refuses what it cannot stand for."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import claims
from course_lib.claims import Claim, check, load, save

GOOD = {"name": "few-shot", "deck": "0.7", "measured": "0.71", "holds": True, "slide": "Few-shot"}
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


def test_line_of_a_claim_that_holds(capsys):
    check("few-shot", "accuracy 0.7", "accuracy 0.71", True, slide=12, seed=0, n=200)
    assert capsys.readouterr().out == "✓ holds | deck: accuracy 0.7 | here: accuracy 0.71\n"


def test_line_of_a_claim_that_fails_gives_the_reason(capsys):
    check("13B", "d_model 5140", "5120", False, slide="Table 2.1", why="40 heads of 128 make 5120")
    assert capsys.readouterr().out == (
        "✗ does not hold | deck: d_model 5140 | here: 5120 | because 40 heads of 128 make 5120\n"
    )


def test_the_detail_is_for_the_scoreboard_only(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv(claims.CLAIMS_FILE, str(tmp_path / "claims.jsonl"))
    monkeypatch.setenv(claims.NOTEBOOK, "01_recap")
    check(**GOOD, detail="0.7098765")
    assert "0.7098765" not in capsys.readouterr().out
    (claim,) = load(tmp_path / "claims.jsonl")
    assert (claim.detail, claim.notebook, claim.slide) == ("0.7098765", "01_recap", "Few-shot")


def test_the_notebook_itself_can_list_its_claims(monkeypatch):
    monkeypatch.setattr(claims, "_made", {})
    check("a", "1", "1", True, slide=1)
    check("b", "1", "2", False, slide=1, why="first try")
    check("b", "1", "1", True, slide=1)
    assert [(claim.name, claim.holds) for claim in claims.made()] == [("a", True), ("b", True)]


def test_without_a_run_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(claims.CLAIMS_FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    check(**GOOD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("truth", [np.float64(0.9) > 0.5, torch.tensor(0.9) > 0.5, np.array(True)])
def test_comparisons_of_numpy_and_torch_are_truth_values(truth, capsys):
    check(**{**GOOD, "holds": truth})
    assert capsys.readouterr().out.startswith("✓")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name must be a non-empty string"),
        ({"deck": "  "}, "deck must be a non-empty string"),
        ({"measured": 0.71}, "measured must be a non-empty string"),
        ({"slide": ""}, "slide must be a non-empty string"),
        ({"deck": "two\nlines"}, "deck must be a single line"),
        ({"why": "two\nlines"}, "why must be a single line"),
        ({"holds": 0.71}, "holds must be True or False, got 0.71"),
        ({"holds": "yes"}, "holds must be True or False"),
        ({"holds": np.float64(1)}, "holds must be True or False"),
        ({"holds": False}, "say the reason in why="),
        ({"holds": False, "why": " "}, "say the reason in why="),
        ({"n": 0}, "must be at least 1"),
    ],
)
def test_bad_input_is_one_clear_sentence(change, message, capsys):
    with pytest.raises(ValueError, match=message):
        check(**{**GOOD, **change})
    assert capsys.readouterr().out == ""


def test_a_claim_made_twice_counts_once_and_the_last_wins(tmp_path):
    file = tmp_path / "claims.jsonl"
    first = Claim("a", "d", "1", True, "s", notebook="01")
    for claim in (
        first,
        Claim("b", "d", "2", True, "s", notebook="01"),
        Claim("a", "d", "3", True, "s", notebook="01"),
    ):
        save(claim, file)
    save(Claim("a", "d", "4", True, "s", notebook="02"), file)
    assert [(c.notebook, c.name, c.measured) for c in load(file)] == [
        ("01", "a", "3"),
        ("01", "b", "2"),
        ("02", "a", "4"),
    ]


def test_no_claims_yet_is_an_empty_scoreboard(tmp_path):
    assert load(tmp_path / "claims.jsonl") == []


@pytest.mark.parametrize("line", ["{", '{"name": "a"}', json.dumps({"unknown": 1})])
def test_a_damaged_file_names_the_line(tmp_path, line):
    file = tmp_path / "claims.jsonl"
    save(Claim("a", "d", "1", True, "s"), file)
    with file.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(ValueError, match="line 2 is not a claim"):
        load(file)


@given(name=TEXT, deck=TEXT, measured=TEXT, why=TEXT)
def test_any_text_survives_the_file(tmp_path_factory, name, deck, measured, why):
    file = tmp_path_factory.mktemp("claims") / "claims.jsonl"
    claim = Claim(name, deck, measured, False, "slide", 0, 3, why, None, "01")
    save(claim, file)
    assert load(file) == [claim]
