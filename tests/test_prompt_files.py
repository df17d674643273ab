"""Prompts on disk and on the Hub: whole round trips, ruPrompts' files, and everything that can be wrong."""

import base64
import errno
import json
import pickle
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import yaml
from transformers import set_seed

from course_lib.models import load_lm
from course_lib.prompts import (
    attach,
    detach,
    files,
    from_pretrained,
    new_prompt,
    push_to_hub,
    save_pretrained,
)
from course_lib.prompts.files import PUBLISHED, save_ruprompts

TEMPLATE = "<P>Вопрос: </P>{text}<P*2> \\<P> {{}}"


@pytest.fixture(scope="module")
def lm():
    return load_lm("tiny-0.5m")


@pytest.fixture(params=["tensor", "lstm", "mlp"])
def prompt(lm, request):
    set_seed(1)
    settings = {} if request.param == "tensor" else {"width": 4, "hidden": 8}
    return new_prompt(TEMPLATE, *lm, request.param, **settings)


def ruprompts_folder(folder: Path, rows: torch.Tensor, compiled="<|P|><|P|><|P|>{text}<|P|><|P|>", **config):
    """Write what ruPrompts writes."""
    folder.mkdir(parents=True)
    settings = {
        "embedding_dim": 64,
        "prompt_length": compiled.count("<|P|>"),
        "pretrained_model_name": "ai-forever/rugpt3large_based_on_gpt2",
        "is_safe": False,
    }
    forms = {"template": "<P*3>{text}<P*2>", "compiled_template": compiled}
    (folder / "prompt.json").write_text(json.dumps({"format": forms, "config": settings | config}))
    torch.save(rows, folder / "prompt_provider.bin")
    return folder


def test_round_trip(lm, prompt, tmp_path):
    folder = save_pretrained(prompt, tmp_path / "mine", notes="Accuracy 0.9 on TERRa.")
    loaded = from_pretrained(folder, lm[0])
    assert loaded.form == prompt.form and loaded.backbone == "tiny-0.5m"
    torch.testing.assert_close(loaded(), prompt(), rtol=0, atol=0)
    loaded().sum().backward()  # it can be trained on, network and all
    parameters = dict(prompt.named_parameters())
    assert {name for name, p in loaded.named_parameters() if p.grad is not None} == set(parameters)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "base_model" not in card and TEMPLATE in card and "Accuracy 0.9" in card
    loaded.backbone = "ai-forever/rugpt3large_based_on_gpt2"
    card = (save_pretrained(loaded, folder) / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("---")[1])["base_model"] == loaded.backbone
    assert {path.name for path in folder.iterdir()} == {"prompt.json", "prompt.safetensors", "README.md"}


def test_ruprompts_round_trip(lm, prompt, tmp_path):
    loaded = from_pretrained(save_ruprompts(prompt, tmp_path / "theirs"), lm[0])
    torch.testing.assert_close(loaded(), prompt(), rtol=0, atol=0)
    attach(lm[0], prompt)
    ids = prompt.encode(lm[1], {"text": "Да"}).ids
    detach(lm[0])
    attach(lm[0], loaded)
    assert loaded.encode(lm[1], {"text": "Да"}).ids == ids
    detach(lm[0])
    written = json.loads((tmp_path / "theirs" / "prompt.json").read_text(encoding="utf-8"))
    assert written["config"] == {
        "embedding_dim": 64,
        "prompt_length": prompt.form.n_soft,
        "pretrained_model_name": "tiny-0.5m",
        "is_safe": False,
    }
    tensor = torch.load(tmp_path / "theirs" / "prompt_provider.bin", weights_only=True)
    assert type(tensor) is torch.Tensor and tensor.shape == (prompt.form.n_soft, 64)


def test_what_ruprompts_wrote_is_read(tmp_path):
    rows = torch.randn(5, 64)
    loaded = from_pretrained(ruprompts_folder(tmp_path / "a", rows))
    torch.testing.assert_close(loaded(), rows, rtol=0, atol=0)
    assert str(loaded.form) == "<P*3>{text}<P*2>" and loaded.backbone.endswith("rugpt3large_based_on_gpt2")
    half = from_pretrained(ruprompts_folder(tmp_path / "b", rows.half()))
    assert half().dtype == torch.float32


def test_the_six_published_are_listed():
    assert list(PUBLISHED) == [
        "detox_russe",
        "title_mlsum",
        "summarization_mlsum",
        "qa_sberquad",
        "proverb",
        "joke",
    ]
    assert PUBLISHED["joke"].repository == "konodyuk/prompt_rugpt3large_joke"


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    folder = ruprompts_folder(tmp_path / "a", torch.randn(5, 64))
    (folder / "prompt_provider.bin").write_bytes(pickle.dumps(Evil(str(tmp_path / "pwned")), protocol=2))
    with pytest.raises(ValueError, match="was not opened"):
        from_pretrained(folder)
    torch.save({"rows": Evil(str(tmp_path / "pwned"))}, folder / "prompt_provider.bin")
    with pytest.raises(ValueError, match="was not opened"):
        from_pretrained(folder)
    assert not (tmp_path / "pwned").exists()


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda f: (f / "prompt.json").unlink(), FileNotFoundError, "has no prompt.json"),
        (lambda f: (f / "prompt.json").write_text("{"), ValueError, "prompt.json' is damaged"),
        (lambda f: (f / "prompt.json").write_text("[]"), ValueError, "it holds a list"),
        (lambda f: (f / "prompt.json").write_text("{}"), ValueError, "describes no prompt"),
        (
            lambda f: (f / "prompt.json").write_text('{"format": {"compiled_template": 5}, "config": {}}'),
            ValueError,
            "describes no prompt",
        ),
        (lambda f: (f / "prompt_provider.bin").unlink(), FileNotFoundError, "has no prompt_provider.bin"),
        (lambda f: cut(f / "prompt_provider.bin"), ValueError, "cut short or damaged"),
        (
            lambda f: torch.save(torch.ones(4, 64), f / "prompt_provider.bin"),
            ValueError,
            r"5 × 64 .*\(4, 64\)",
        ),
        (lambda f: torch.save([1], f / "prompt_provider.bin"), ValueError, "holds list"),
    ],
)
def test_damaged_files_of_ruprompts(tmp_path, damage, error, message):
    folder = ruprompts_folder(tmp_path / "a", torch.randn(5, 64))
    damage(folder)
    with pytest.raises(error, match=message):
        from_pretrained(folder)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda f: (f / "prompt.safetensors").unlink(), FileNotFoundError, "has no prompt.safetensors"),
        (lambda f: cut(f / "prompt.safetensors"), ValueError, "cut short or damaged"),
        (
            lambda f: (f / "prompt.json").write_text(
                (f / "prompt.json").read_text().replace('"embedding_dim": 64', '"embedding_dim": 32')
            ),
            ValueError,
            "does not fit its prompt.json",
        ),
        (
            lambda f: (f / "prompt.json").write_text(
                (f / "prompt.json").read_text().replace("tensor", "gru")
            ),
            ValueError,
            "the provider 'gru', which is none of tensor, lstm, mlp",
        ),
        (
            lambda f: (f / "prompt.json").write_text(
                (f / "prompt.json").read_text().replace('"version": 1', '"version": 2')
            ),
            ValueError,
            "has layout 2, and this course_lib reads up to 1",
        ),
    ],
)
def test_damaged_files_of_ours(lm, tmp_path, damage, error, message):
    folder = save_pretrained(new_prompt("<P*2>{text}", *lm), tmp_path / "a")
    damage(folder)
    with pytest.raises(error, match=message):
        from_pretrained(folder)


def test_names_that_lead_nowhere(lm, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="did you mean 'proverb'"):
        from_pretrained("proverbs")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        from_pretrained("./nowhere")
    with pytest.raises(ValueError, match=r"konodyuk/prompt_rugpt3large_joke' .* the Hub is out of reach"):
        from_pretrained("joke")
    with pytest.raises(ValueError, match="'me/prompt' was not written"):
        push_to_hub(new_prompt("<P>", *lm), "me/prompt")
    wide = ruprompts_folder(tmp_path / "a", torch.randn(5, 1536), embedding_dim=1536)
    with pytest.raises(
        ValueError, match=r"rugpt3large_based_on_gpt2'.* 1536 wide; those of 'tiny-0.5m' are 64"
    ):
        from_pretrained(wide, lm[0])


def test_a_full_disk_leaves_what_was_there(lm, tmp_path, monkeypatch):
    folder = save_pretrained(new_prompt("<P*2>{text}", *lm), tmp_path / "a")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "save_file", full)
    with pytest.raises(OSError, match="the disk is full; nothing was left behind"):
        save_pretrained(new_prompt("<P*3>{text}", *lm), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as its client asks for: a repository that takes a commit and gives files."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    repository = ""

    def log_message(self, *_):
        pass

    def answer(self, body=None, headers=(), status=200, content=None):
        content = json.dumps(body).encode() if content is None else content
        self.send_response(status)
        for key, value in (("Content-Length", str(len(content))), *headers):
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            asked = json.loads(data)
            type(self).repository = f"{asked.get('organization') or 'me'}/{asked['name']}"
            return self.answer({"url": f"http://{self.headers['Host']}/{self.repository}"})
        if self.path == "/api/validate-yaml":
            header = yaml.safe_load(json.loads(data)["content"].split("---")[1])
            wrong = [] if header["library_name"] == "course_lib" else [{"message": "no header"}]
            return self.answer({"errors": wrong, "warnings": []})
        if "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(data)["files"]]
            return self.answer(
                {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]}
            )
        if "/commit/" in self.path:
            for line in map(json.loads, data.decode().splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return self.answer(
                {
                    "commitUrl": f"http://{self.headers['Host']}/{self.repository}/commit/1",
                    "commitOid": "1" * 40,
                }
            )
        return self.answer({"error": self.path}, status=404)

    def do_GET(self):
        if "/resolve/" in self.path:
            name = self.path.split("/")[-1].split("?")[0]
            if name not in self.files:
                return self.answer({}, [("X-Error-Code", "EntryNotFound")], 404)
            headers = [("ETag", f'"{hash(self.files[name])}"'), ("X-Repo-Commit", "1" * 40)]
            return self.answer(headers=headers, content=self.files[name])
        if self.path.startswith(f"/api/models/{self.repository}"):
            siblings = [{"rfilename": name} for name in self.files]
            if "/tree/" in self.path:
                tree = [
                    {"type": "file", "path": n, "size": len(c), "oid": "1"} for n, c in self.files.items()
                ]
                return self.answer(tree)
            return self.answer({"id": self.repository, "sha": "1" * 40, "siblings": siblings})
        return self.answer({}, [("X-Error-Code", "RepoNotFound")], 404)

    def do_HEAD(self):
        self.do_GET()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The real client of the Hub, pointed at a server on this machine."""
    from huggingface_hub import constants, hf_api

    Hub.files, Hub.repository = {}, ""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    for name, value in (
        ("ENDPOINT", endpoint),
        ("HF_HUB_OFFLINE", False),
        ("HF_HUB_CACHE", str(tmp_path / "cache")),
        ("HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"),
    ):
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(hf_api.api, "endpoint", endpoint)
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("ruprompts", [False, True])
def test_pushed_prompts_come_back(hub, lm, ruprompts):
    prompt = new_prompt(TEMPLATE, *lm, "lstm", width=4, hidden=8)
    url = push_to_hub(prompt, "me/soft", token="hf_x", ruprompts=ruprompts)
    assert url.endswith("me/soft/commit/1")
    assert set(Hub.files) == (
        {"prompt.json", "prompt_provider.bin"}
        if ruprompts
        else {"prompt.json", "prompt.safetensors", "README.md"}
    )
    if not ruprompts:
        assert 'from_pretrained("me/soft", model)' in Hub.files["README.md"].decode()
    loaded = from_pretrained("me/soft", lm[0])
    torch.testing.assert_close(loaded(), prompt(), rtol=0, atol=0)
    with pytest.raises(ValueError, match="There is no repository 'me/other' on the Hub"):
        from_pretrained("me/other")
