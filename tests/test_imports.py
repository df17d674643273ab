"""What importing the package costs, and the layers of the house: imports go downward only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "datasets", "matplotlib", "scipy", "sklearn", "hydra", "nbconvert")
LIGHT = (
    "",
    "accuracy",
    "claims",
    "instruction_diagrams",
    "instruction_study",
    "instructions",
    "models",
    "notebooks",
    "plots",
    "ppo",
    "prompt_diagrams",
    "prompts",
    "registry",
    "report",
    "rewards",
    "rlhf",
    "run",
    "scoring",
    "sizes",
    "study",
    "scaling",
    "tasks",
    "token_colours",
    "tokens",
)
# A module may import from lower layers only, and within a package from its own; a new one needs a place.
LAYERS = (
    (
        "registry",
        "accuracy",
        "gpt_weights",
        "world",
        "sizes",
        "tokens",
        "ngram",
        "claims",
        "plots",
        "hub",
        "quiet",
        "muon",
        "logits",
        "grids",
        "padding",
    ),
    (
        "models",
        "encoder_decoder",
        "trl_settings",
        "saving",
        "checkpointing",
        "gpt",
        "diagrams",
        "token_colours",
        "report",
        "notebooks",
    ),
    ("tasks", "prompt_diagrams", "instruction_diagrams", "rlhf_diagrams", "scaling", "pretrain", "run"),
    ("scoring", "replay"),
    ("prompts", "instructions", "rewards"),  # prompts score label words through `scoring`
    ("ppo", "chat", "tune_checks", "instruction_study"),
    ("rlhf",),
    ("rlhf_study",),
    ("model_card", "exercises", "study", "tune"),
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
# stricter than the layers: these know nobody but their own parts
ALONE = {
    "world": set(),
    "models": {"registry", "hub", "quiet"},
    "gpt": {"gpt_weights"},
    "encoder_decoder": {"muon"},
    "muon": set(),
    "logits": set(),
    "plots": set(),
    "claims": set(),
    "accuracy": set(),
}


def imports(root: Path) -> dict[str, set[str]]:
    """Return for every module the others of the package that it imports, even in a function."""
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (root / "course_lib").rglob("*.py")
    }
    found = {}
    for module, path in modules.items():
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: imports are written in full, from course_lib…"
                for alias in node.names:  # a module of a package, or a name of a module
                    whole = f"{node.module}.{alias.name}"
                    names.add(whole if whole in modules else node.module)
        found[module] = {name for name in names if name in modules} - {module, "course_lib"}
    return found


def part(module: str) -> str:
    """Return the module's place in the table of layers: its name, or that of its package."""
    return module.split(".")[1]


@pytest.fixture(scope="module")
def graph(root):
    graph = imports(root)
    del graph["course_lib"]
    return graph


def test_every_module_has_a_layer(graph):
    assert {part(module) for module in graph} - set(LAYER) == set()


def test_imports_go_downward_only(graph):
    upward = [
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if part(module) != part(other) and LAYER[part(other)] >= LAYER[part(module)]
    ]
    assert upward == []


def test_some_know_nobody(graph):
    strangers = [
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if part(module) in ALONE and part(other) not in ALONE[part(module)] | {part(module)}
    ]
    assert strangers == []


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_nothing_heavy(module):
    name = f"course_lib.{module}".rstrip(".")
    code = f"import sys, {name}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_world_imports_nothing_heavy():
    code = f"import sys, course_lib.world; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
