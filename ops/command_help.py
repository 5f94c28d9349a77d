"""Help texts and usage errors of the commands, on top of typer, in one language.

Typer's own words are English; this module has their Indonesian version.
Not here: which commands exist (cli, events/commands, audit/commands).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typing_extensions import override

from ops.language import choose, is_english

Function = TypeVar("Function", bound=Callable[..., None])
_PYTHON_TYPE = re.compile(r" <(?:str|Path|list\[str\])>")
_HELP_WORDS = (
    (r"^Usage:", "Pemakaian:"),
    (r"\[OPTIONS\]", "[OPSI]"),
    (r"COMMAND \[ARGS\]\.\.\.", "PERINTAH [ARGUMEN]..."),
    (r"^Arguments:$", "Argumen:"),
    (r"^Options:$", "Opsi:"),
    (r"^Commands:$", "Perintah:"),
    (r"Show this message and exit\.", "Tampilkan bantuan ini."),
    (r"\[default: ", "[bawaan: "),
    (r"\brequired\]", "wajib]"),
)
_ERROR_WORDS = (
    (r"^Missing command\.", "Perintahnya belum disebutkan."),
    (r"^Missing option (.+)\.$", r"Opsi \1 wajib disebutkan."),
    (r"^Missing argument (.+)\.$", r"Argumen \1 wajib disebutkan."),
    (r"^No such command ('.*?')\.", r"Tidak ada perintah \1."),
    (r"^No such option: (\S+)", r"Tidak ada opsi \1."),
    (r"Did you mean (.+)\?$", r"Maksudnya \1?"),
    (r"\(Possible options: (.+)\)$", r"Maksudnya \1?"),
    (r"^Option (.+) requires an argument\.$", r"Opsi \1 memerlukan nilai."),
    (r"^Option (.+) does not take a value\.$", r"Opsi \1 tidak menerima nilai."),
    (r"^Got unexpected extra argument\(s\) \((.+)\)$", r"Argumen berlebih: \1."),
    (r"^Invalid value for (.+?): ", r"Nilai untuk \1 tidak dapat dipakai: "),
    (r"Input should be a valid integer.*$", "tulis bilangan bulat."),
    (r"Input should be greater than or equal to (.+)$", r"paling kecil \1."),
    (r"Input should be less than or equal to (.+)$", r"paling besar \1."),
)


class Command(TyperCommand):
    """A command whose help is in the language of the terminal."""

    @override
    def get_help(self, ctx: Any) -> str:
        return _translate_help(super().get_help(ctx))

    @override
    def get_usage(self, ctx: Any) -> str:
        return _translate_help(super().get_usage(ctx))


class Group(TyperGroup):
    """A group of commands whose help is in the language of the terminal."""

    @override
    def get_help(self, ctx: Any) -> str:
        return _translate_help(super().get_help(ctx))

    @override
    def get_usage(self, ctx: Any) -> str:
        return _translate_help(super().get_usage(ctx))


def create_group(indonesian: str, english: str, *examples: str) -> typer.Typer:
    """Return a group of commands, described in both languages."""
    return typer.Typer(
        cls=Group,
        help=choose(indonesian, english),
        epilog=_format_examples(examples),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def command(
    group: typer.Typer, name: str, indonesian: str, *examples: str
) -> Callable[[Function], Function]:
    """Return a decorator that adds a command.

    The function's docstring is the English help. The first sentence of a help is also the line of
    the command in the list of its group: at most 60 characters.
    """

    def register(function: Function) -> Function:
        english = inspect.getdoc(function) or ""
        decorate = group.command(
            name,
            cls=Command,
            help=choose(indonesian, english),
            epilog=_format_examples(examples),
        )
        return decorate(function)

    return register


def describe_usage_error(error: TyperException) -> str:
    """Return what typer refused: the usage, where to find help, and what is wrong."""
    context: Any = getattr(error, "ctx", None)
    message = error.format_message()
    if context is not None and message == context.get_help():  # a group without its command
        return message
    lines: list[str] = []
    if context is not None:
        ask = f"{context.command_path} --help"
        lines = [context.get_usage(), choose(f"Bantuan: {ask}", f"Help: {ask}"), ""]
    return "\n".join([*lines, _translate(message, _ERROR_WORDS)])


def walk_helps(app: typer.Typer) -> Iterator[tuple[str, str]]:
    """Yield the words and the help of every command and group; the words of the whole are ""."""
    yield from _walk(typer.main.get_command(app), "./bina", None)


def _walk(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    context = command.context_class(command, info_name=name, parent=parent)
    yield context.command_path.removeprefix("./bina").lstrip(), command.get_help(context)
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, child_name, context)


def _format_examples(examples: tuple[str, ...]) -> str:
    """Return the closing lines of a help text; the first character keeps them unwrapped."""
    title = choose("Contoh:", "Examples:")
    return "\b\n" + "\n".join([title, *(f"  {line}" for line in examples)])


def _translate_help(text: str) -> str:
    """Return a help in the language of the terminal, without typer's names of Python types."""
    text = _PYTHON_TYPE.sub(lambda match: " " * len(match[0]), text)
    return _translate(text, _HELP_WORDS)


def _translate(text: str, words: tuple[tuple[str, str], ...]) -> str:
    """Replace typer's own words unless the terminal is English."""
    if is_english():
        return text
    for pattern, indonesian in words:
        text = re.sub(pattern, indonesian, text, flags=re.MULTILINE)
    return text
