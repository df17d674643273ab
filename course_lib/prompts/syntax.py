"""The language of prompt formats: words, `{fields}`, and soft tokens `<P>` anywhere among them.

Slides "CPT: Idea" and "Prompt Formats". The language is that of ruPrompts, and the deck's way of writing it:

    <P>                one soft token
    <P*20>             twenty
    <SP:3>             three, as the deck writes
    <P>text</P>        as many as the text has tokens, which they are to begin as
    {field}            a column of the example
    <shots>…</shots>   once for every solved example, always with the same soft tokens
    {{ }}              braces that are text
    \\<P>               a tag that is text (and \\\\ a backslash before one)

`parse` reads a template into its parts, `write` writes them again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEXEME = re.compile(
    r"""(?P<slashes>\\+)(?=<)                                 # before < only: else a backslash is a backslash
    |   (?P<soft><P\*(?P<n>\d+)>|<SP:(?P<sp>\d+)>|<\|P\|>)
    |   (?P<tag></?P>|</?shots>)
    |   (?P<almost>(?i:</?(?:S?P|Р)\b[^<>]{0,12}>|</?shots\b[^<>]{0,12}>))  # one is Cyrillic
    |   \{(?P<field>[^\W\d]\w*)\}
    |   (?P<double>\{\{|\}\})
    |   (?P<brace>\{[^{}]*\}?|\})
    |   (?P<text>[^\\<{}]+|.)""",
    re.VERBOSE | re.DOTALL,
)
TAG = re.compile(r"(?i:</?(?:S?P|Р|shots)\b)|<\|P\|>")  # where each of them begins
MAX_DIGITS = 9  # of a number of soft tokens
WRITING = "write <P>, <P*3>, <SP:3>, <P>text</P> or <shots>…</shots>"


class FormatError(ValueError):
    """A template that cannot be read: says what is wrong, and where."""

    def __init__(self, reason: str, template: str, position: int) -> None:
        line = template.count("\n", 0, position) + 1
        column = position - (template.rfind("\n", 0, position) + 1)
        shown = template.split("\n")[line - 1]
        where = f"line {line}, column {column + 1}"
        super().__init__(f"{reason} ({where}):\n  {shown}\n  {' ' * column}^")
        self.reason, self.position = reason, position


@dataclass(frozen=True)
class Text:
    """Words that stand in every prompt."""

    text: str


@dataclass(frozen=True)
class Field:
    """A place that a column of the example fills."""

    name: str


@dataclass(frozen=True)
class Soft:
    """Soft tokens in a row.

    Attributes:
        n: how many; None until a tokenizer has counted `text` (see `PromptFormat.count`).
        text: the words that they are to begin as, or None.
    """

    n: int | None
    text: str | None = None


@dataclass(frozen=True)
class Shots:
    """A part that is repeated for every solved example."""

    parts: tuple[Text | Field | Soft, ...]


Part = Text | Field | Soft | Shots


@dataclass(frozen=True)
class Lexeme:
    """What a template is written in: a part, or a tag that begins or ends one, and where it stands."""

    what: Text | Field | Soft | str
    at: int


def lexemes(template: str) -> list[Lexeme]:
    """Cut a template into lexemes.

    Raises:
        FormatError: a brace without its partner, a field without a proper name, a misspelt tag.
    """
    found, at = [], 0
    while at < len(template):
        match = LEXEME.match(template, at)
        kind, text, start, at = match.lastgroup, match[0], at, match.end()
        if match["soft"]:
            n = match["n"] or match["sp"] or "1"
            if len(n) > MAX_DIGITS:
                raise FormatError(f"{text[:20]}: no model reads so many soft tokens", template, start)
            found.append(Lexeme(Soft(int(n)), start))
        elif kind == "tag":
            found.append(Lexeme(text, start))
        elif kind == "almost":
            raise FormatError(f"{text} is no tag: {WRITING}, or \\{text} for text", template, start)
        elif kind == "field":
            found.append(Lexeme(Field(match["field"]), start))
        elif kind == "brace":
            reason = (
                "is no field: write {name}" if text[0] == "{" and text[-1] == "}" else "lacks its partner"
            )
            raise FormatError(
                f"{text[:20]} {reason}, or {{{{ and }}}} for braces that are text", template, start
            )
        elif kind == "slashes":
            is_text = len(text) % 2  # the tag
            found.append(Lexeme(Text("\\" * (len(text) // 2) + "<" * is_text), start))
            at += is_text
        else:
            found.append(Lexeme(Text(text[0] if kind == "double" else text), start))
    return found


def parse(template: str) -> tuple[Part, ...]:
    """Read a template (see `PromptFormat.parse`)."""
    stack: list[tuple[list[Part], int]] = [([], 0)]  # the parts of the template, and those of open shots
    rest = lexemes(template)[::-1]
    while rest:
        lexeme = rest.pop()
        what, at = lexeme.what, lexeme.at
        if what == "<P>":
            what = initial_text(rest, template, at)
        elif what == "<shots>":
            if len(stack) > 1:
                raise FormatError("<shots> inside <shots>", template, at)
            stack.append(([], at))
            continue
        elif what == "</shots>" and len(stack) > 1:
            what = Shots(tidy(stack.pop()[0]))
        elif isinstance(what, str):
            raise FormatError(f"{what} ends what nothing has begun", template, at)
        stack[-1][0].append(what)
    if len(stack) > 1:
        raise FormatError("<shots> has no </shots>", template, stack[-1][1])
    return tidy(stack[0][0])


def initial_text(rest: list[Lexeme], template: str, at: int) -> Soft:
    """Read on after <P>: the text up to </P> if that is the next tag, else it is a soft token by itself."""
    inside = []
    for lexeme in reversed(rest):
        if not isinstance(lexeme.what, Text | Field):
            break
        inside.append(lexeme.what)
    else:
        return Soft(1)
    if lexeme.what != "</P>":
        return Soft(1)
    for part in inside:
        if isinstance(part, Field):
            reason = f"the field {{{part.name}}} inside an initial text, which is the same for all examples"
            raise FormatError(reason, template, at)
    if not inside:
        raise FormatError("an initial text without a word", template, at)
    del rest[-len(inside) - 1 :]
    return Soft(None, "".join(part.text for part in inside))


def tidy(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Put what stands side by side together: texts, and soft tokens that begin as no text."""
    tidied: list[Part] = []
    for part in parts:
        match (tidied[-1] if tidied else None, part):
            case (_, Text("") | Soft(0)):
                pass
            case (Text(before), Text(text)):
                tidied[-1] = Text(before + text)
            case (Soft(int(before), None), Soft(int(n), None)):
                tidied[-1] = Soft(before + n)
            case _:
                tidied.append(part)
    return tuple(tidied)


def write(parts: Sequence[Part], after: str = "") -> str:
    """Write parts as they stand in a template; `after` is what comes behind them."""
    for part in reversed(parts):
        match part:
            case Text(text):
                written = braces(quote(text, after.startswith("<")))
            case Field(name):
                written = f"{{{name}}}"
            case Soft(_, str(text)):
                written = f"<P>{braces(quote(text, True))}</P>"
            case Soft(n):
                written = "<P>" if n == 1 else f"<P*{n}>"
            case Shots(inside):
                written = f"<shots>{write(inside, '</shots>')}"
        after = written + after
    return after


def quote(text: str, before_tag: bool) -> str:
    """Put a backslash before whatever would be read as a tag, and double those that stand before a `<`."""

    def quoted(found: re.Match) -> str:
        slashes, sign = found.groups()
        return slashes * 2 + ("\\" if TAG.match(text, found.start(2)) else "") + sign

    text = re.sub(r"(\\*)(<)", quoted, text)
    return re.sub(r"(\\+)\Z", r"\1\1", text) if before_tag else text


def flat(parts: Sequence[Part]) -> Iterator[Text | Field | Soft]:
    """Yield the parts, those of the shots once."""
    for part in parts:
        if isinstance(part, Shots):
            yield from part.parts
        else:
            yield part


def braces(text: str) -> str:
    """Return text with its braces doubled."""
    return text.replace("{", "{{").replace("}", "}}")
