"""The industrial twin agrees: lm-eval gives every request the same log-probability and the same argmax."""

import numpy as np
import pytest

from course_lib import world
from course_lib.models import load_lm
from course_lib.scoring import Template, label_requests, score

LABELS = {0: "грустное", 1: "весёлое"}
DIRECT = Template("Твит: {text}\nНастроение:")
CHANNEL = Template("{label} твит:", target=" {text}")


def hflm(model, tokenizer):
    """Wrap a loaded model for lm-eval."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=8)


def loglikelihood(lm, requests):
    """Ask lm-eval: (log-probability, whether greedy decoding would write it) of each request."""
    from lm_eval.api.instance import Instance

    instances = [Instance("loglikelihood", {}, request, i) for i, request in enumerate(requests)]
    return lm.loglikelihood(instances, disable_tqdm=True)


@pytest.mark.parametrize("name", ["tiny-0.5m", "tiny"])
@pytest.mark.parametrize("shape", ["direct", "channel", "8 shots", "longer than the window", "whole"])
def test_equal_logprobs_and_argmax(name, shape):
    model, tokenizer = load_lm(name, dtype="float32")
    tweets = list(world.labelled("tweets")["validation"].select(range(32)))
    n_shots = {"8 shots": 8, "longer than the window": 24}.get(shape, 0)
    template = CHANNEL if shape in ("channel", "whole") else DIRECT
    requests = label_requests(template, tweets[24:], LABELS, tweets[:n_shots], whole=shape == "whole")
    ours = score(model, tokenizer, requests)
    theirs = loglikelihood(hflm(model, tokenizer), requests)
    np.testing.assert_allclose([o.logprob for o in ours], [t[0] for t in theirs], atol=1e-4)
    assert [o.greedy for o in ours] == [t[1] for t in theirs]
