"""What ruPrompts 0.1.4's own code gave, recorded: we agree where it is right, and know where it is not."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from course_lib.prompts import FormatError, PromptFormat, encode
from course_lib.prompts.prompt import Prompt, attach
from course_lib.prompts.providers import LSTMProvider, TensorProvider

FOLDER = Path(__file__).parent / "golden"
GOLDEN = json.loads((FOLDER / "ruprompts.json").read_text(encoding="utf-8"))
# the tokenizer they were recorded with: the models' own changes whenever they are trained anew
TOKENIZER = PreTrainedTokenizerFast.from_pretrained(FOLDER / GOLDEN["made_with"]["tokenizer"])
FIRST = len(TOKENIZER)


def read(template):
    return PromptFormat.parse(template).count(TOKENIZER)


@pytest.mark.parametrize("case", GOLDEN["formats"], ids=lambda case: case["template"])
def test_formats(case):
    form = read(case["template"])
    assert form.compiled() == case["compiled"] and form.n_soft == case["prompt_length"]
    assert form.initial_ids(TOKENIZER) == dict(case["init_tokens"])
    encoded = encode(form, TOKENIZER, case["fields"], FIRST)
    assert [min(i, FIRST) for i in encoded.ids] == [FIRST if i == -1 else i for i in case["ids"]]
    assert encoded.text == case["filled"].replace("<|P|>", "")


def test_defects():
    swallowed, new_line, misspelt, copies = GOLDEN["defects"]
    assert swallowed["fields"]["text"] not in swallowed["filled"]  # theirs
    encoded = encode(read(swallowed["template"]), TOKENIZER, swallowed["fields"], FIRST)
    assert encoded.text == swallowed["fields"]["text"]  # ours
    assert "</P>" in new_line["filled"] and "</P>" not in read(new_line["template"]).compiled()
    assert misspelt["prompt_length"] == 0
    with pytest.raises(FormatError, match="is no tag"):
        read(misspelt["template"])
    assert len(copies["init_tokens"]) == 1 and len(read(copies["template"]).initial_ids(TOKENIZER)) == 2


class Words(nn.Module):
    """As much of a model as an embedding needs."""

    def __init__(self, weight):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(weight)
        self.config = type("Config", (), {"name_or_path": "golden"})()

    def get_input_embeddings(self):
        return self.words


def test_embedding():
    golden = GOLDEN["embedding"]
    rows, ids = torch.tensor(golden["rows"]), torch.tensor(golden["ids"])
    provider = TensorProvider(*rows.shape)
    provider.begin_as(rows)
    model = Words(torch.tensor(golden["words"]))
    attach(model, Prompt(PromptFormat.parse(f"<P*{len(rows)}>"), provider))
    soft = ids == golden["prompt_token"]  # theirs is one id, whose order says which row it is
    ours = torch.where(soft, 12 + soft.cumsum(1) - 1, ids)
    torch.testing.assert_close(model.words(ours), torch.tensor(golden["embedded"]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", GOLDEN["providers"], ids=str)
def test_parameters(case):
    sizes = {key: case[key] for key in ("width", "hidden", "n_layers")}
    assert LSTMProvider(case["n_tokens"], case["dim"], **sizes).n_parameters == case["parameters"]
