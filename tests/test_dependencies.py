"""pyproject.toml, constraints.txt, environment.yml and what is installed say the same."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCAL = {"course_lib", "tests"}


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def declared(project):
    lines = project["dependencies"] + project["optional-dependencies"]["test"]
    return {canonicalize_name(r.name): r.specifier for r in map(Requirement, lines)}


@pytest.fixture(scope="module")
def constraints(root):
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): r.specifier for r in requirements}


def test_every_constraint_is_one_exact_version(constraints):
    for name, specifier in constraints.items():
        assert re.fullmatch(r"==[\w.]+", str(specifier)), f"{name}{specifier}"


def test_every_dependency_has_a_tested_version_inside_its_range(declared, constraints):
    assert not declared.keys() - constraints.keys()
    for name, specifier in declared.items():
        tested = str(constraints[name]).removeprefix("==")
        assert specifier.contains(tested), f"{name} {tested} is outside {specifier}"


def test_the_tested_set_is_installed(constraints):
    for name, specifier in constraints.items():
        assert Version(Version(version(name)).public) in specifier, (
            f"{name} {version(name)} is not {specifier}"
        )


def test_the_package_never_pins_torch(project):
    for requirement in map(Requirement, project["dependencies"]):
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators <= {">=", "<"}, f"{requirement}: students live on Colab, so ranges only"


def test_environment_is_the_same_installation(root, project):
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert conda == [f"python{project['requires-python']}", "pip"]
    assert pip == ["-c constraints.txt", "-e .[test]"]


def test_this_python_is_in_the_range(project):
    assert SpecifierSet(project["requires-python"]).contains(".".join(map(str, sys.version_info[:3])))


def test_everything_imported_is_declared(root, declared):
    providers = packages_distributions()
    for path in [*(root / "course_lib").rglob("*.py"), *(root / "tests").rglob("*.py")]:
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
        for name in names - LOCAL - sys.stdlib_module_names:
            distributions = {canonicalize_name(d) for d in providers.get(name, [name])}
            assert distributions & declared.keys(), f"{path.relative_to(root)} imports {name}: declare it"


def test_the_makefile_and_the_readme_name_the_same_commands(root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    for command in ("run", "test", "lab", "bench", "publish"):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE) and f"make {command}" in readme
    assert "pip install -c constraints.txt -e ." in readme and "python -m course_lib.run" in readme
    ci = (root / ".ci" / "run").read_text(encoding="utf-8")
    assert ci.strip().splitlines()[-1] == "make test"


def test_a_second_run_installs_nothing(root):
    if not (root / ".venv" / "installed").exists() or not shutil.which("make"):
        pytest.skip("this environment was not made by make")
    plan = subprocess.run(["make", "-n", "run"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert "course_lib.run" in plan and "pip" not in plan
