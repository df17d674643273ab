"""Natural-language templates: an example becomes an instruction and the answer to it.

Slide "Data for Instruction Tuning": "Each task has 10 different templates (prompt formats)". They are written
in Jinja, `input ||| target`, and kept in promptsource's YAML layout (Bach et al., 2022), so that T0's own
files load as they are. Neither may run code: Jinja is sandboxed, and YAML makes nothing but plain values.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

Row = Mapping[str, Any]
SHIPPED = Path(__file__).parent / "templates"
SEPARATOR = "|||"
STAND_IN = "\ufdd0"  # for a separator that is data; no text has this character
OPTIONS = {"en": "Options:", "ru": "Варианты:"}


@dataclass(frozen=True)
class Instruction:
    """An example told in words.

    Attributes:
        prompt: what the model is told.
        target: what it is to answer.
        choices: all answers that there are, None where it is free.
    """

    prompt: str
    target: str
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class InstructionTemplate:
    """One way to tell a task.

    Attributes:
        name: what tells it from the task's others.
        jinja: `input ||| target` over the columns of a row. `answer_choices` is the list of choices, and
            `options` the block that lists them for the model (FLAN's OPTIONS), empty if none is asked for.
        answer_choices: choices joined by `|||`, Jinja too; None where the answer is free.
        original_task: False for one that is turned around and asks for the question.
        choices_in_prompt: whether the prompt tells the choices.
        languages: of the wording, the first of which the options block speaks.
        metrics: what the answers are judged by.
        reference: where the wording is from.
    """

    name: str
    jinja: str
    answer_choices: str | None = None
    original_task: bool = True
    choices_in_prompt: bool = False
    languages: tuple[str, ...] = ("ru",)
    metrics: tuple[str, ...] = ()
    reference: str = ""
    id: str = field(default="", compare=False)

    def render(self, row: Row, options: bool = True) -> Instruction | None:
        """Tell one example.

        Args:
            row: its columns.
            options: whether the model is told the choices, where the template has a place for them.

        Returns:
            The instruction; None where the template says nothing about such a row.

        Raises:
            ValueError: a variable that is no column, no target, a template that does what is forbidden.
        """
        choices = self.choices(row)
        told = dict(row)
        if choices is not None:
            told["answer_choices"] = choices
        told.setdefault("options", self._block(choices) if options and choices else "")
        parts = [part.strip() for part in self._fill(self.jinja, told, row).split(SEPARATOR)]
        if parts == [""]:
            return None
        if len(parts) != 2 or not parts[1]:
            raise ValueError(
                f"Template '{self.name}' must give input ||| target, and gives {len(parts)} part(s)"
                + (" with an empty target." if len(parts) == 2 else ".")
            )
        prompt, target = (part.replace(STAND_IN, SEPARATOR) for part in parts)
        return Instruction(prompt, target, choices and tuple(choices))

    def choices(self, row: Row) -> list[str] | None:
        """Return the answers that there are for a row, None where the answer is free.

        Raises:
            ValueError: as `render`.
        """
        if self.answer_choices is None:
            return None
        filled = self._fill(self.answer_choices, dict(row), row)
        return [choice.strip().replace(STAND_IN, SEPARATOR) for choice in filled.split(SEPARATOR)]

    def variables(self) -> set[str]:
        """Return the columns that a row must have."""
        sources = [self.jinja, *([self.answer_choices] if self.answer_choices else [])]
        found = set().union(*(meta.find_undeclared_variables(parse(self.name, s)) for s in sources))
        return found - {"answer_choices", "options"}

    def _block(self, choices: Sequence[str]) -> str:
        """Return FLAN's block of options."""
        header = OPTIONS.get(self.languages[0] if self.languages else "en", OPTIONS["en"])
        return "\n".join([header, *(f"- {choice}" for choice in choices)])

    def _fill(self, source: str, told: dict[str, Any], row: Row) -> str:
        """Fill in the columns; what of them looks like a separator is data."""
        template = _compile(self.name, source)
        try:
            return template.render({name: _guarded(value) for name, value in told.items()})
        except jinja2.UndefinedError as error:
            raise ValueError(
                f"Template '{self.name}' asks for something that this row does not have ({error.message}). "
                f"The row has {', '.join(row)}."
            ) from None
        except SecurityError as error:
            raise ValueError(f"Template '{self.name}' does what templates may not do: {error}.") from None
        except (TypeError, ValueError, LookupError, ArithmeticError, OverflowError) as error:
            raise ValueError(f"Template '{self.name}' does not fit this row: {error}.") from None


def _guarded(value: Any) -> Any:
    """Return a value whose separators, if it has any, will not be taken for the template's."""
    if isinstance(value, str):
        return value.replace(SEPARATOR, STAND_IN)
    if isinstance(value, Mapping):
        return {key: _guarded(item) for key, item in value.items()}
    return [_guarded(item) for item in value] if isinstance(value, (list, tuple)) else value


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    """Return Jinja as promptsource sets it up, but sandboxed, and with an error for what is missing."""
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.globals.update(zip=zip)
    environment.filters["choice"] = lambda items: random.Random(str(items)).choice(items)
    environment.filters["most_frequent"] = lambda items: max(items, key=items.count)
    environment.filters["highlight"] = str
    return environment


def parse(name: str, source: str) -> jinja2.nodes.Template:
    """Return the syntax tree of a template, or say in which line it is wrong."""
    try:
        return _environment().parse(source)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"Template '{name}', line {error.lineno}: {error.message}.") from None


@cache
def _compile(name: str, source: str) -> jinja2.Template:
    return _environment().from_string(parse(name, source))


class _Loader(yaml.SafeLoader):
    """Plain values, and promptsource's two tags, which are read as mappings."""


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Tagged(dict):
    """A mapping with a tag."""

    tag: str


for _tag in ("!Template", "!TemplateMetadata"):
    _Loader.add_constructor(_tag, lambda loader, node: loader.construct_mapping(node, deep=True))
_Dumper.add_representer(_Tagged, lambda dumper, value: dumper.represent_mapping(value.tag, value))
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def load_templates(path: str | Path) -> tuple[InstructionTemplate, ...]:
    """Read a file of templates in promptsource's layout, its own or ours.

    Args:
        path: a YAML file.

    Returns:
        The templates in the file's order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no YAML, tags that make objects (refused, not run), no templates, two of one name.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.constructor.ConstructorError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ValueError(
            f"'{path}', line {line}: {error.problem}. Only !Template and !TemplateMetadata are allowed: "
            "a file of templates must not make objects or run code."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' is no YAML: {error}") from None
    entries = content.get("templates") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise ValueError(f"'{path}' has no mapping 'templates': is it a file in promptsource's layout?")
    templates = tuple(_template(path, key, entry) for key, entry in entries.items())
    names = [template.name for template in templates]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"'{path}' has two templates of the name '{repeated[0]}'.")
    return templates


def _template(path: str | Path, key: str, entry: Any) -> InstructionTemplate:
    """Make one template of its entry."""
    if not isinstance(entry, dict) or not isinstance(entry.get("jinja"), str):
        raise ValueError(f"'{path}': template {key} has no text 'jinja'.")
    said = entry.get("metadata") or {}
    return InstructionTemplate(
        name=str(entry.get("name") or key),
        jinja=entry["jinja"],
        answer_choices=entry.get("answer_choices") or None,
        original_task=bool(said.get("original_task", True)),
        choices_in_prompt=bool(said.get("choices_in_prompt", False)),
        languages=tuple(said.get("languages") or ("en",)),
        metrics=tuple(said.get("metrics") or ()),
        reference=str(entry.get("reference") or ""),
        id=str(entry.get("id") or key),
    )


def save_templates(path: str | Path, dataset: str, templates: Iterable[InstructionTemplate]) -> Path:
    """Write templates in promptsource's layout, to be shared or sent to promptsource itself.

    Args:
        path: the YAML file.
        dataset: the name of the data that they tell.
        templates: what to write.

    Returns:
        The path.
    """
    entries = {}
    for each in templates:
        key = each.id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{dataset}/{each.name}"))
        told = _Tagged(
            choices_in_prompt=each.choices_in_prompt,
            languages=list(each.languages),
            metrics=list(each.metrics),
            original_task=each.original_task,
        )
        told.tag = "!TemplateMetadata"
        entries[key] = _Tagged(
            answer_choices=each.answer_choices,
            id=key,
            jinja=each.jinja,
            metadata=told,
            name=each.name,
            reference=each.reference,
        )
        entries[key].tag = "!Template"
    content = {"dataset": dataset, "subset": None, "templates": entries}
    text = yaml.dump(content, Dumper=_Dumper, allow_unicode=True, width=10_000, sort_keys=False)
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


@cache
def task_templates(name: str) -> tuple[InstructionTemplate, ...]:
    """Return the course's ten Russian templates of a task; of "rte" the three that the deck prints.

    Raises:
        ValueError: no templates of that name are shipped.
    """
    path = SHIPPED / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise ValueError(f"There are no templates for {name!r}, only for {known}.")
    return load_templates(path)
