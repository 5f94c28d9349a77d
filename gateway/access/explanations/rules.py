"""Why somebody may or may not: the same decisions as the door makes, each in words. Not here: the rows themselves, which the services narrow by the same claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.caller import EVERYTHING
from gateway.access.grants.rules import Grant, Kind
from gateway.access.permissions.roles import TITLES
from gateway.access.permissions.versions import Version, at_version, now_of, on
from gateway.routing.table import Route

MOST_TOLD = 5
_KINDS = {
    Kind.OWN: "tugas sendiri",
    Kind.PLH: "pelaksana harian",
    Kind.PLT: "pelaksana tugas",
    Kind.SECOND: "pemeriksa kedua dari Kanwil",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One decision: what was asked, how it came out, why (Indonesian for officers, English for engineers)."""

    asks: str
    passes: bool
    words: str
    english: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whose access to what: a user with grants (and what of them is `lasting` at that moment), or a role with claims; `resource` are the claims of one row; at which moment."""

    method: str
    path: str
    grants: Sequence[Grant] | None
    lasting: Sequence[Grant]
    chosen: str
    disabled: bool
    role: str
    claims: Mapping[str, Sequence[str]]
    resource: Mapping[str, str]
    at: datetime


def explain(
    question: Question, routes: Mapping[str, Route] | None, history: Mapping[str, Sequence[Version]]
) -> list[Step]:
    """The decisions in the order of the door; the last one is that which decides."""
    steps = [_route(question, routes)]
    if not steps[0].passes or routes is None:
        return steps
    route = routes[question.method]
    if route.public:
        return [
            *steps,
            Step(
                asks="public",
                passes=True,
                words="Terbuka untuk siapa pun.",
                english="Open to anybody.",
            ),
        ]
    role, claims, forbidden = question.role, question.claims, frozenset[str]()
    if question.grants is not None:
        steps.append(_user(question))
        grant = _grant(question, steps) if steps[-1].passes else None
        if grant is None:
            return steps
        role, claims, forbidden = grant.role, grant.claims, grant.forbidden
    steps.append(_permission(role, route, history.get(role, ()), question.at))
    if steps[-1].passes:
        steps.append(_letter(route, forbidden))
    if steps[-1].passes:
        steps += _rows(claims, question.resource)
    return steps


def _route(question: Question, routes: Mapping[str, Route] | None) -> Step:
    if routes is None:
        return Step(
            asks="route",
            passes=False,
            words="Alamat ini tidak ada di pintu ini (404); periksa tulisan alamat dan pintunya (host).",
            english="This host has no such path (404).",
        )
    route = routes.get(question.method)
    if route is None:
        allowed = ", ".join(sorted(routes))
        return Step(
            asks="route",
            passes=False,
            words=f"Alamat ini hanya menerima {allowed} (405).",
            english=f"The path takes {allowed} only (405).",
        )
    return Step(
        asks="route",
        passes=True,
        words=f"{route.permission}, dijawab oleh {route.service}.",
        english=f"{route.permission}, answered by {route.service}.",
    )


def _user(question: Question) -> Step:
    if question.disabled:
        return Step(
            asks="user",
            passes=False,
            words="Pengguna dinonaktifkan (403).",
            english="The user is disabled (403).",
        )
    return Step(asks="user", passes=True, words="Pengguna aktif.", english="The user is active.")


def _grant(question: Question, steps: list[Step]) -> Grant | None:
    """The grant acted under, its step added."""
    held = [
        one
        for one in question.lasting
        if one.in_force(question.at) and question.chosen in {"", one.id}
    ]
    if len(held) == 1:
        grant = held[0]
        until = grant.valid_until.date().isoformat()
        steps.append(
            Step(
                asks="grant",
                passes=True,
                words=f"Penugasan {grant.id}: {_told(grant)}.",
                english=f"Grant {grant.id}: {grant.role} ({grant.kind}), until {until}.",
            )
        )
        return grant
    if held:
        listed = "; ".join(f"{one.id} = {_told(one)}" for one in held)
        words = f"Beberapa penugasan berlaku; pilih satu dengan kepala permintaan acting-grant (403): {listed}."
        steps.append(
            Step(
                asks="grant",
                passes=False,
                words=words,
                english="Several grants are in force; the header acting-grant must choose one (403).",
            )
        )
        return None
    known = [one for one in question.grants or () if question.chosen in {"", one.id}][-MOST_TOLD:]
    reasons = "".join(f" {one.id} = {_told(one)}: {_why_not(one, question.at)}." for one in known)
    steps.append(
        Step(
            asks="grant",
            passes=False,
            words=f"Tidak ada penugasan yang berlaku pada saat itu (403).{reasons}",
            english="No grant was in force then (403).",
        )
    )
    return None


def _told(grant: Grant) -> str:
    """A grant in an administrator's words."""
    letter = f", surat {grant.letter}" if grant.letter else ""
    return f"{TITLES[grant.role]} ({grant.role}) sebagai {_KINDS[grant.kind]}{letter}, sampai {grant.valid_until.date().isoformat()}"


def _why_not(grant: Grant, at: datetime) -> str:
    if grant.ended_at is not None:
        return f"diakhiri {grant.ended_at.date().isoformat()}"
    if at < grant.valid_from:
        return f"baru berlaku mulai {grant.valid_from.date().isoformat()}"
    if at >= grant.valid_until:
        return "masa berlakunya habis"
    return (
        "pejabat yang digantikan tidak lagi memegang peran itu"
        if grant.kind is Kind.PLH
        else "tidak lagi bertugas di Kanwil"
    )


def _permission(role: str, route: Route, versions: Sequence[Version], at: datetime) -> Step:
    version = on(versions, at.date())
    wanted = f"{route.service}: {route.permission}"
    number = version.number if version else 0
    held = now_of(role) if versions and version == versions[-1] else at_version(versions, number)
    if wanted in held:
        return Step(
            asks="permission",
            passes=True,
            words=f"Peran {TITLES[role]} ({role}), versi {number}, boleh {route.permission}.",
            english=f"Role {role} version {number} may {route.permission}.",
        )
    may = ", ".join(sorted(route.roles)) or "-"
    words = f"Peran {TITLES[role]} ({role}), versi {number}, tidak boleh {route.permission} (403); yang boleh sekarang: {may}."
    return Step(
        asks="permission",
        passes=False,
        words=words,
        english=f"Role {role} version {number} may not (403); who may now: {may}.",
    )


def _letter(route: Route, forbidden: frozenset[str]) -> Step:
    if route.permission in forbidden:
        return Step(
            asks="letter",
            passes=False,
            words="Tindakan ini dikecualikan dari surat penugasannya, atau bukan bagian dari tugas pemeriksa kedua (403).",
            english="The letter, or the part of a second person, excludes this act (403).",
        )
    return Step(
        asks="letter",
        passes=True,
        words="Tidak dikecualikan oleh surat penugasan.",
        english="Not excluded by any letter.",
    )


def _rows(claims: Mapping[str, Sequence[str]], resource: Mapping[str, str]) -> list[Step]:
    if not any(claims.values()):
        return [
            Step(
                asks="rows",
                passes=False,
                words="Tanpa cakupan: tidak melihat baris apa pun (404).",
                english="No scope: no row is seen (404).",
            )
        ]
    if not resource:
        told = "; ".join(f"{name}: {', '.join(values)}" for name, values in sorted(claims.items()))
        return [
            Step(
                asks="rows",
                passes=True,
                words=f"Melihat baris dengan {told}.",
                english=f"Sees rows with {told}.",
            )
        ]
    return [_row(name, value, claims.get(name, ())) for name, value in sorted(resource.items())]


def _row(name: str, value: str, held: Sequence[str]) -> Step:
    if value in held or EVERYTHING in held:
        return Step(
            asks="rows",
            passes=True,
            words=f"Cakupan {name} memuat {value}.",
            english=f"The scope {name} covers {value}.",
        )
    return Step(
        asks="rows",
        passes=False,
        words=f"{value} di luar cakupan {name} (404, sama seperti tidak ada).",
        english=f"{value} is outside {name} (404, as if unknown).",
    )
