"""The rotation of keys: it renews everything once, loses no change, and ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from chassis.app import database_setup
from chassis.ids import utc_now
from chassis.jobs import key_rotation
from chassis.jobs.key_rotation import KeyRotation, KeysMissing, check_keys
from chassis.persistence.mongo import Mongo, updating
from chassis.persistence.transactions import TransactionManager
from tests.chassis.jobs import key_shop
from tests.chassis.jobs.key_shop import Keys, Letter, Transaction, read_all, rotate
from tests.database_pool import databases_of
from tests.fakes import Keys as SigningKeys

ROOT = Path(__file__).resolve().parents[3]
TEXTS = {f"letter-{number:02}": f"text {number}" for number in range(25)}
PAGE = 10
OLD = Keys()
ROTATING = Keys(is_rotating=True)
NEW = Keys(is_rotating=True, has_former=False)

databases, database = databases_of(Transaction)


@pytest.fixture
def url(mongo_url: str, database: str, tmp_path: Path) -> str:
    signing = SigningKeys(tmp_path, {"shop": ""})
    return signing.settings("shop", mongo_url=mongo_url, database=database, kafka="")["mongo_url"]


@pytest.fixture
async def letters(url: str, database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mongo]:
    """Give a database with 25 letters under the old keys and one without a text."""
    monkeypatch.setattr(key_rotation, "PAGE_DOCUMENTS", PAGE)
    db = Mongo(url, database)
    await database_setup.prepare(db, Transaction)
    await key_shop.write(db, OLD, TEXTS)
    await key_shop.runner(db)(add_empty)
    yield db
    await db.close()


async def add_empty(tx: Transaction) -> None:
    tx.letters.add(Letter(id="letter-99", text=None))


async def texts_of(db: Mongo, keys: Keys) -> dict[str, str]:
    stored = await read_all(db)
    assert {letter.lookup for letter in stored if letter.text} == {
        keys.lookups.value(keys.read(letter)) for letter in stored if letter.text
    }
    return {letter.id: keys.read(letter) for letter in stored if letter.text}


async def test_after_the_rotation_the_new_keys_alone_read_everything(letters: Mongo) -> None:
    await rotate(letters, KeyRotation(ROTATING.stores))
    assert await texts_of(letters, NEW) == TEXTS
    state = await key_rotation.status(letters, ROTATING.stores)
    assert (state["left"], state["unreadable"]) == (0, 0)
    assert state["finished_at"]
    assert REGISTRY.get_sample_value("bina_key_rotation_left_values") == 0


async def test_a_rotation_reports_how_many_values_are_left(letters: Mongo) -> None:
    rotation = KeyRotation(ROTATING.stores)
    assert await rotation(key_shop.runner(letters)) is True
    state = await key_rotation.status(letters, ROTATING.stores)
    assert (state["left"], state["finished_at"]) == (2 * (len(TEXTS) - PAGE), None)
    assert state["former"] == ["lookup_key", "master_key"]
    assert REGISTRY.get_sample_value("bina_key_rotation_left_values") == state["left"]


async def test_a_rotation_changes_no_version_and_nothing_else(letters: Mongo) -> None:
    before = await letters.find("letters", {}, sort=[("_id", 1)])
    await rotate(letters, KeyRotation(ROTATING.stores))
    after = await letters.find("letters", {}, sort=[("_id", 1)])
    changed: set[str] = set()
    for old, new in zip(before, after, strict=True):
        assert old.keys() == new.keys()
        changed |= {name for name in old if old[name] != new[name]}
    assert changed == {"text", "lookup", "lookup_key"}


async def test_each_page_leaves_an_audit_row_without_a_text(letters: Mongo) -> None:
    await rotate(letters, KeyRotation(ROTATING.stores))
    rows = await letters.find("audit", {"action": "keys.rotated"}, sort=[("_id", 1)])
    documents = [row["documents"] for row in rows]
    assert [len(page) for page in documents] == [10, 10, 5]
    assert sorted(id_ for page in documents for id_ in page) == sorted(TEXTS)
    assert not [text for text in TEXTS.values() if text in json.dumps(rows, default=str)]


async def test_a_repeated_rotation_writes_nothing(letters: Mongo) -> None:
    await rotate(letters, KeyRotation(ROTATING.stores))
    before = await letters.find("letters", {})
    await letters.delete("key_rotation", {})
    await rotate(letters, KeyRotation(ROTATING.stores))
    assert await letters.find("letters", {}) == before
    assert await letters.count("audit", {"action": "keys.rotated"}) == 3


async def test_without_former_keys_nothing_is_read(letters: Mongo) -> None:
    assert await KeyRotation(OLD.stores)(key_shop.runner(letters)) is False
    assert await letters.count("key_rotation", {}) == 0
    assert await key_rotation.status(letters, OLD.stores) == {}


async def test_a_change_during_a_page_is_not_lost(letters: Mongo) -> None:
    """The letter is read for a page, then changed by another, before the page is written."""
    changed: list[Letter] = []

    class Racing(TransactionManager[Transaction]):
        async def change_once(self, tx: Transaction) -> None:
            del tx
            if changed:
                return
            changed.append(OLD.letter("letter-03", "changed meanwhile"))
            await key_shop.runner(letters)(change)

    async def change(tx: Transaction) -> None:
        before = await tx.letters.get("letter-03")
        tx.letters.save(before, replace(changed[0], read=1))

    run = key_shop.runner(letters)
    racing = Racing(letters, Transaction)
    racing.before_commit.append(racing.change_once)
    run.engine = racing
    rotation = KeyRotation(ROTATING.stores)
    while await rotation(run):
        pass
    assert await texts_of(letters, NEW) == TEXTS | {"letter-03": "changed meanwhile"}
    [letter] = [each for each in await read_all(letters) if each.id == "letter-03"]
    assert (letter.read, letter.version) == (1, 2)


async def test_two_processes_renew_each_letter_once(letters: Mongo) -> None:
    one = KeyRotation(ROTATING.stores)
    other = KeyRotation(ROTATING.stores)
    assert await one(key_shop.runner(letters)) is True
    await asyncio.gather(rotate(letters, one), rotate(letters, other))
    assert await texts_of(letters, NEW) == TEXTS
    rows = await letters.find("audit", {"action": "keys.rotated"})
    assert len(rows) == 3


async def test_a_killed_rotation_continues_at_its_page(
    letters: Mongo, url: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at = "letter-15"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chassis.jobs.key_shop",
        url,
        database,
        killed_at,
        str(PAGE),
        cwd=ROOT,
    )
    assert await asyncio.wait_for(process.wait(), 90) == -signal.SIGKILL
    renewed = {
        letter.id for letter in await read_all(letters) if letter.lookup_key == NEW.lookups.key_id
    }
    assert renewed == set(sorted(TEXTS)[:PAGE])
    read: list[str] = []
    renew = ROTATING.renew

    def count(letter: Letter) -> Letter:
        read.append(letter.id)
        return renew(letter)

    monkeypatch.setattr(ROTATING, "renew", count)
    await rotate(letters, KeyRotation(ROTATING.stores))
    assert read[:1] == ["letter-10"]
    assert await texts_of(letters, NEW) == TEXTS


async def test_an_unreadable_value_holds_up_nothing_and_is_counted(letters: Mongo) -> None:
    await letters.bulk(
        "letters",
        [updating("letter-07", {"$set": {"text.ciphertext": "AAAAAAAAAAAAAAAAAAAAAAAA"}})],
    )
    await rotate(letters, KeyRotation(ROTATING.stores))
    state = await key_rotation.status(letters, ROTATING.stores)
    assert (state["left"], state["unreadable"]) == (2, 1)
    assert await letters.count("letters", {"lookup_key": NEW.lookups.key_id}) == len(TEXTS) - 1


async def test_values_written_late_under_a_former_key_are_renewed(letters: Mongo) -> None:
    """An older process, which ends after the walk, still wrote with its own current key."""
    rotation = KeyRotation(ROTATING.stores)
    await rotate(letters, rotation)
    await key_shop.write(letters, OLD, {"letter-00-late": "late"})
    run = key_shop.runner(letters)
    assert await rotation(run) is False
    run.engine.clock = lambda: utc_now() + timedelta(hours=7)
    while await rotation(run):
        pass
    assert await texts_of(letters, NEW) == TEXTS | {"letter-00-late": "late"}


async def test_a_start_without_a_needed_key_is_refused(letters: Mongo) -> None:
    await check_keys(letters, "shop", OLD.stores)
    with pytest.raises(KeysMissing) as refused:
        await check_keys(letters, "shop", NEW.stores)
    said = str(refused.value)
    for setting, ring in (("lookup_key", OLD.lookups.ring), ("master_key", OLD.cipher.ring)):
        assert f"25 stored values need the key {ring.key_id} of shop_{setting}" in said
        assert f"as a line of shop_former_{setting}" in said
    assert "25 in letters" in said


async def test_a_start_without_former_keys_is_accepted_after_the_rotation(
    letters: Mongo,
) -> None:
    await check_keys(letters, "shop", ROTATING.stores)
    await rotate(letters, KeyRotation(ROTATING.stores))
    await check_keys(letters, "shop", NEW.stores)
    with pytest.raises(KeysMissing):
        await check_keys(letters, "shop", OLD.stores)


async def test_the_first_start_of_this_version_counts_what_is_stored(letters: Mongo) -> None:
    with pytest.raises(KeysMissing):
        await check_keys(letters, "shop", NEW.stores)


async def test_a_start_with_all_keys_reads_no_letters(letters: Mongo) -> None:
    await check_keys(letters, "shop", OLD.stores)
    await letters.db.drop_collection("letters")
    await letters.insert("letters", [{"_id": "x", "lookup_key": "0badc0de"}])
    await check_keys(letters, "shop", ROTATING.stores)
