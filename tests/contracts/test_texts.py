"""The texts that people read: each code in both languages, in every service."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import chassis
import gateway
import services
from chassis.errors import DomainError
from chassis.texts import TEXTS, Text, load_texts
from gateway.access.permissions import ROLE_PERMISSIONS
from services.certification.reasons import Reason
from tests.fakes import AsgiClient, Keys
from tests.gateway.harness import new_key
from tests.gateway.test_services import app_of

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "chassis",
    "gateway",
    *(f"services/{path.name}" for path in ROOT.glob("services/[a-z]*")),
)
FILES = sorted(
    f"{folder}/texts.toml" for folder in FOLDERS if (ROOT / folder / "texts.toml").exists()
)
# Words that are the same in both languages.
SAME = {"November", "September", "April", "operator"}
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def own_texts(file: str) -> Mapping[str, Text]:
    """Return the texts of one file, without those of the chassis."""
    texts = load_texts(ROOT / file)
    return (
        texts
        if file.startswith("chassis")
        else {code: text for code, text in texts.items() if TEXTS.get(code) != text}
    )


@cache
def error_classes() -> tuple[type[DomainError], ...]:
    """Return every error class of the product."""
    for package in (chassis, services, gateway):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    product = ("chassis.", "services.", "gateway.")
    return tuple(one for one in subclasses(DomainError) if one.__module__.startswith(product))


def subclasses(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def texts_of(kind: type[DomainError]) -> Mapping[str, Text]:
    """Return the texts of the part that defines the class."""
    names = kind.__module__.split(".")
    folder = "/".join(names[: 2 if names[0] == "services" else 1])
    return load_texts(ROOT / folder / "texts.toml")


def is_made_of(title: Text, text: Text) -> bool:
    """Return whether the title is the text, with values for its placeholders."""
    pairs = ((title.id, text.id), (title.en, text.en))
    return all(
        re.fullmatch(
            PLACEHOLDER.sub(".+", re.escape(given).replace(r"\{", "{").replace(r"\}", "}")), made
        )
        for made, given in pairs
    )


@pytest.mark.parametrize("file", FILES)
def test_every_code_has_a_text_in_both_languages(file: str) -> None:
    texts = own_texts(file)
    assert texts
    wrong = [
        code
        for code, text in texts.items()
        if not text.id.strip()
        or not text.en.strip()
        or (text.id == text.en and text.id not in SAME and text.id.isalpha())
        or set(PLACEHOLDER.findall(text.id)) != set(PLACEHOLDER.findall(text.en))
    ]
    assert wrong == []


def test_the_title_of_every_error_is_the_text_of_its_code() -> None:
    """Or that of the class above it, which it then shares."""
    wrong: list[str] = []
    for kind in error_classes():
        own = vars(kind).get("title")
        text = texts_of(kind).get(f"errors.{kind.code}")
        if own is not None and (text is None or not is_made_of(own, text)):
            wrong.append(f"{kind.__module__}.{kind.__name__}")
    assert wrong == []


def test_every_text_of_an_error_belongs_to_a_class() -> None:
    codes = {kind.code for kind in error_classes()} | {DomainError.code}
    texts = set[str]().union(*map(own_texts, FILES))
    titles = {code for code in texts if code.startswith("errors.")}
    assert titles - {f"errors.{code}" for code in codes} == set()


def test_a_stored_reason_of_assessment_is_its_indonesian_text() -> None:
    texts = load_texts(ROOT / "services/certification/texts.toml")
    assert {reason.name: texts[f"reasons.{reason.name}"].id for reason in Reason} == {
        reason.name: reason.value for reason in Reason
    }


@pytest.mark.parametrize("name", sorted(ROLE_PERMISSIONS.by_service))
async def test_every_service_answers_in_the_language_of_the_reader(
    name: str, tmp_path: Path
) -> None:
    keys = Keys.make(tmp_path)
    more = {"issuer_key": new_key()} if name == "gateway" else dict[str, str]()
    service = AsgiClient(app_of(name, tmp_path, keys=keys, **more), keys, name)
    # The query is validated before any use of the database, which does not exist here.
    service.app.state.life.prepared.set()
    path = f"/v1/operations/{name}/audit?limit=none"
    answers = {
        language: await service.get(path, headers={"accept-language": language})
        for language in ("en-GB, id;q=0.5", "id, en;q=0.5", "fr", "*")
    }
    shown = {
        language: (answer.json()["title"], answer.headers["content-language"])
        for language, answer in answers.items()
    }
    invalid = TEXTS["errors.body_invalid"]
    indonesian = (invalid.id, "id")
    assert shown == dict.fromkeys(answers, indonesian) | {"en-GB, id;q=0.5": (invalid.en, "en")}
    assert {answer.headers["vary"] for answer in answers.values()} == {"accept-language"}
