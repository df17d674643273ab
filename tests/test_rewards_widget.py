"""The labelling form: what is typed or clicked becomes a ranking in a file, in a real JupyterLab too."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.rewards import Ranking, RankingWidget, read_jsonl
from course_lib.rewards.widget import parse_order

ROWS = [
    {"prompt": f"Скажи вежливо: «Уйди!» ({i})", "category": "rewrite", "reference": "Отойдите, пожалуйста."}
    for i in range(3)
]
ANSWERS = ["Уйди.", "Отойдите, пожалуйста.", "Уйди, балбес!"]


def respond(row):
    return ANSWERS


def texts(widget) -> str:
    return " ".join(
        child.value for child in widget.box.children if isinstance(getattr(child, "value", None), str)
    )


def buttons(widget) -> dict:
    inside = [child for box in widget.box.children for child in getattr(box, "children", ())]
    return {child.description: child for child in inside if hasattr(child, "click")}


@pytest.mark.parametrize(
    ("typed", "order"),
    [
        ("2 1 3", ((1,), (0,), (2,))),
        ("213", ((1,), (0,), (2,))),
        (" 2  1 = 3 ", ((1,), (0, 2))),
        ("2=1=3", ((1, 0, 2),)),
        ("12=3", ((0,), (1, 2))),
    ],
)
def test_an_order_is_read_as_it_is_typed(typed, order):
    assert parse_order(typed, 3) == order


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("2 a", "'a' is neither"),
        ("2=", "missing beside ="),
        ("2==1", "missing beside ="),
        ("4 1", "no answer 4"),
    ],
)
def test_what_is_no_order_is_explained(typed, message):
    with pytest.raises(ValueError, match=message):
        parse_order(typed, 3)


def test_rankings_are_in_the_file_at_once_and_not_asked_again(tmp_path):
    path = tmp_path / "mine.jsonl"
    widget = RankingWidget(ROWS, respond, path, labeler="я")
    assert "(0)" in texts(widget) and "3 left" in texts(widget)
    widget._entry.value = "2 1 3"  # as the frontend sends it on Enter
    assert read_jsonl(path)[0] == [Ranking(ROWS[0]["prompt"], ANSWERS, ((1,), (0,), (2,)), "я")]
    assert "(1)" in texts(widget) and widget._entry.value == ""
    again = RankingWidget(ROWS, respond, path, labeler="я")  # after a crash
    assert [row["prompt"] for row in again.left] == [row["prompt"] for row in ROWS[1:]]
    assert len(RankingWidget(ROWS, respond, path, labeler="ты").left) == 3


def test_clicks_do_the_same_as_keys(tmp_path):
    widget = RankingWidget(ROWS, respond, tmp_path / "mine.jsonl")
    for name in ("2", "1", "=", "3", "Submit"):
        buttons(widget)[name].click()
    assert widget.rankings[0].order == ((1,), (0, 2))
    buttons(widget)["1"].click()
    buttons(widget)["Clear"].click()
    assert widget._entry.value == "" and len(widget.rankings) == 1
    before = widget.row
    buttons(widget)["Skip"].click()
    assert widget.row != before and widget.left[-1] == before


def test_half_a_ranking_waits_and_a_wrong_one_is_explained(tmp_path):
    widget = RankingWidget(ROWS, respond, tmp_path / "mine.jsonl")
    widget._entry.value = "2 1"
    assert not widget.rankings and not widget.submit()
    assert "does not rank answer 3" in texts(widget)
    widget._entry.value = "1=2=3"
    assert not widget.rankings and "ties all answers" in texts(widget)


def test_the_built_in_labeler_is_compared_with(tmp_path):
    widget = RankingWidget(ROWS, respond, tmp_path / "mine.jsonl")
    assert widget.agreement() is None
    widget._entry.value = "2 1 3"
    assert widget.agreement() == (1.0, 3)
    widget._entry.value = "3 1 2"
    assert widget.agreement() == (0.5, 6) and "agrees on 50% of 6 pairs" in texts(widget)
    widget._entry.value = "2 1 3"
    assert widget.row is None and "All are ranked" in texts(widget) and not widget.submit()


def test_answers_are_text_and_never_markup(tmp_path):
    widget = RankingWidget(ROWS, lambda row: ["<script>alert(1)</script>", ""], tmp_path / "mine.jsonl")
    assert "<script>" not in texts(widget) and "(nothing)" in texts(widget)
    with pytest.raises(ValueError, match="There are 1 answers to «Скажи"):
        RankingWidget(ROWS, lambda row: ["одно"], tmp_path / "mine.jsonl")


def test_a_damaged_line_is_named_and_the_others_are_read(tmp_path):
    path = tmp_path / "mine.jsonl"
    RankingWidget(ROWS, respond, path)._entry.value = "2 1 3"
    path.write_text("{половина\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    widget = RankingWidget(ROWS, respond, path)
    assert len(widget.rankings) == 1 and "line 1 is no ranking" in texts(widget)


# a real JupyterLab

CELL = f"""
from course_lib.rewards import RankingWidget
widget = RankingWidget({ROWS!r}, lambda row: {ANSWERS!r}, "mine.jsonl", labeler="я")
widget.box
"""


@pytest.fixture
def lab(tmp_path):
    notebook = new_notebook(cells=[new_code_cell(CELL)])
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(notebook, tmp_path / "label.ipynb")
    options = ("--no-browser", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=", "--allow-root")
    command = [sys.executable, "-m", "jupyter", "lab", *options, f"--ServerApp.root_dir={tmp_path}"]
    log = tmp_path / "log.txt"
    with open(log, "w") as file:
        process = subprocess.Popen(
            command, stderr=file, stdout=file, env={**os.environ, "HOME": str(tmp_path)}
        )
    try:
        address = None
        for _ in range(240):
            if found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()):
                address = found[0]
                break
            time.sleep(0.25)
        assert address, log.read_text()
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="there is no Chromium on this machine, or no driver for it",
)
def test_it_works_in_jupyterlab_with_keys_alone(lab, tmp_path):
    from selenium import webdriver
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.expected_conditions import element_to_be_clickable as clickable
    from selenium.webdriver.support.ui import WebDriverWait

    assert urllib.request.urlopen(lab).status == 200
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "no-first-run",
        "window-size=1200,900",
        f"user-data-dir={tmp_path / 'chromium'}",
    ):
        options.add_argument(f"--{option}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.set_page_load_timeout(120)
        driver.get(f"{lab}lab/tree/label.ipynb")
        wait = WebDriverWait(driver, 60)
        keys = webdriver.ActionChains(driver).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT)
        entry = None
        for _ in range(5):  # a key pressed before the kernel is there does nothing
            wait.until(clickable((By.CSS_SELECTOR, ".jp-Notebook .cm-content"))).click()
            keys.perform()
            with contextlib.suppress(TimeoutException):
                shown = clickable((By.CSS_SELECTOR, "input[placeholder^=numbers]"))
                entry = WebDriverWait(driver, 30).until(shown)
                break
        assert entry, driver.find_element(By.TAG_NAME, "body").text
        for number, typed in enumerate(("2 1 3", "2 1=3"), 1):
            entry.click()
            entry.send_keys(typed, Keys.ENTER)
            wait.until(lambda d, number=number: f"{number} ranked, {3 - number} left" in d.page_source)
            assert len(read_jsonl(tmp_path / "mine.jsonl")[0]) == number
        driver.save_screenshot(os.environ.get("COURSE_SCREENSHOT", str(tmp_path / "lab.png")))
    finally:
        driver.quit()
    found, problems = read_jsonl(tmp_path / "mine.jsonl")
    assert not problems and [ranking.order for ranking in found] == [((1,), (0,), (2,)), ((1,), (0, 2))]
