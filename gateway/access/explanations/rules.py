"""Rules that explain access: each decision of the gateway with its reason as a text.

Not here: the rows, which the services filter by the same claims.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.caller import EVERYTHING
from chassis.texts import Text
from gateway.access.grants.rules import Grant, GrantKind
from gateway.access.permissions.roles import TITLES
from gateway.access.permissions.versions import (
    RoleVersion,
    current_permissions,
    permissions_at,
    version_on,
)

MAX_LISTED_GRANTS = 5
_KIND_TITLES = {
    GrantKind.OWN: "tugas sendiri",
    GrantKind.PLH: "pelaksana harian",
    GrantKind.PLT: "pelaksana tugas",
    GrantKind.SECOND: "pemeriksa kedua dari Kanwil",
}


class ExplainedRoute(Protocol):
    """The attributes of a route of the proxy that an explanation reads."""

    @property
    def service(self) -> str: ...
    @property
    def permission(self) -> str: ...
    @property
    def is_public(self) -> bool: ...
    @property
    def roles(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationStep:
    """One decision: the question, its result, and why, in Indonesian and in English."""

    question: str
    passes: bool
    words: str
    english: str

    @property
    def text(self) -> Text:
        """Why, as a text."""
        return Text(id=self.words, en=self.english)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessQuestion:
    """The access to explain: of a user with grants, or of a role with claims.

    `effective_grants` are the user's grants that are usable at the moment `at`. `resource` are the
    claims of one row.
    """

    method: str
    path: str
    grants: Sequence[Grant] | None
    effective_grants: Sequence[Grant]
    chosen_grant: str
    is_disabled: bool
    role: str
    claims: Mapping[str, Sequence[str]]
    resource: Mapping[str, str]
    at: datetime


def explain(
    question: AccessQuestion,
    routes: Mapping[str, ExplainedRoute] | None,
    history: Mapping[str, Sequence[RoleVersion]],
) -> list[ExplanationStep]:
    """Return the decisions in the gateway's order; the last one decides."""
    steps = [_explain_route(question, routes)]
    if not steps[0].passes or routes is None:
        return steps
    route = routes[question.method]
    if route.is_public:
        return [
            *steps,
            ExplanationStep(
                question="public",
                passes=True,
                words="Terbuka untuk siapa pun.",
                english="Open to anybody.",
            ),
        ]
    role = question.role
    claims = question.claims
    forbidden = frozenset[str]()
    if question.grants is not None:
        steps.append(_explain_user(question))
        grant = _explain_grant(question, steps) if steps[-1].passes else None
        if grant is None:
            return steps
        role = grant.role
        claims = grant.claims
        forbidden = grant.forbidden_permissions
    steps.append(_explain_permission(role, route, history.get(role, ()), question.at))
    if steps[-1].passes:
        steps.append(_explain_letter(route, forbidden))
    if steps[-1].passes:
        steps += _explain_rows(claims, question.resource)
    return steps


def _explain_route(
    question: AccessQuestion, routes: Mapping[str, ExplainedRoute] | None
) -> ExplanationStep:
    if routes is None:
        return ExplanationStep(
            question="route",
            passes=False,
            words=(
                "Alamat ini tidak ada di pintu ini (404); periksa tulisan alamat dan pintunya "
                "(host)."
            ),
            english="This host has no such path (404).",
        )
    route = routes.get(question.method)
    if route is None:
        allowed = ", ".join(sorted(routes))
        return ExplanationStep(
            question="route",
            passes=False,
            words=f"Alamat ini hanya menerima {allowed} (405).",
            english=f"The path takes {allowed} only (405).",
        )
    return ExplanationStep(
        question="route",
        passes=True,
        words=f"{route.permission}, dijawab oleh {route.service}.",
        english=f"{route.permission}, answered by {route.service}.",
    )


def _explain_user(question: AccessQuestion) -> ExplanationStep:
    if question.is_disabled:
        return ExplanationStep(
            question="user",
            passes=False,
            words="Pengguna dinonaktifkan (403).",
            english="The user is disabled (403).",
        )
    return ExplanationStep(
        question="user", passes=True, words="Pengguna aktif.", english="The user is active."
    )


def _explain_grant(question: AccessQuestion, steps: list[ExplanationStep]) -> Grant | None:
    """Return the acting grant, and add its step."""
    held = [
        one
        for one in question.effective_grants
        if one.is_in_force(question.at) and question.chosen_grant in {"", one.id}
    ]
    if len(held) == 1:
        grant = held[0]
        until = grant.valid_until.date().isoformat()
        steps.append(
            ExplanationStep(
                question="grant",
                passes=True,
                words=f"Penugasan {grant.id}: {_describe_grant(grant)}.",
                english=f"Grant {grant.id}: {grant.role} ({grant.kind}), until {until}.",
            )
        )
        return grant
    if held:
        listed = "; ".join(f"{one.id} = {_describe_grant(one)}" for one in held)
        words = (
            "Beberapa penugasan berlaku; pilih satu dengan kepala permintaan acting-grant "
            f"(403): {listed}."
        )
        steps.append(
            ExplanationStep(
                question="grant",
                passes=False,
                words=words,
                english=(
                    "Several grants are in force; the header acting-grant must choose one (403)."
                ),
            )
        )
        return None
    known = [one for one in question.grants or () if question.chosen_grant in {"", one.id}]
    reasons = "".join(
        f" {one.id} = {_describe_grant(one)}: {_explain_not_in_force(one, question.at)}."
        for one in known[-MAX_LISTED_GRANTS:]
    )
    steps.append(
        ExplanationStep(
            question="grant",
            passes=False,
            words=f"Tidak ada penugasan yang berlaku pada saat itu (403).{reasons}",
            english="No grant was in force then (403).",
        )
    )
    return None


def _describe_grant(grant: Grant) -> str:
    """Return the Indonesian description of a grant: role, kind, letter and end."""
    letter = f", surat {grant.letter}" if grant.letter else ""
    return (
        f"{TITLES[grant.role].id} ({grant.role}) sebagai {_KIND_TITLES[grant.kind]}{letter}, "
        f"sampai {grant.valid_until.date().isoformat()}"
    )


def _explain_not_in_force(grant: Grant, at: datetime) -> str:
    if grant.ended_at is not None:
        return f"diakhiri {grant.ended_at.date().isoformat()}"
    if at < grant.valid_from:
        return f"baru berlaku mulai {grant.valid_from.date().isoformat()}"
    if at >= grant.valid_until:
        return "masa berlakunya habis"
    if grant.kind is GrantKind.PLH:
        return "pejabat yang digantikan tidak lagi memegang peran itu"
    return "tidak lagi bertugas di Kanwil"


def _explain_permission(
    role: str, route: ExplainedRoute, versions: Sequence[RoleVersion], at: datetime
) -> ExplanationStep:
    version = version_on(versions, at.date())
    wanted = f"{route.service}: {route.permission}"
    number = version.number if version else 0
    held = (
        current_permissions(role)
        if versions and version == versions[-1]
        else permissions_at(versions, number)
    )
    if wanted in held:
        return ExplanationStep(
            question="permission",
            passes=True,
            words=f"Peran {TITLES[role].id} ({role}), versi {number}, boleh {route.permission}.",
            english=f"Role {role} version {number} may {route.permission}.",
        )
    may = ", ".join(sorted(route.roles)) or "-"
    words = (
        f"Peran {TITLES[role].id} ({role}), versi {number}, tidak boleh {route.permission} (403);"
        f" yang boleh sekarang: {may}."
    )
    return ExplanationStep(
        question="permission",
        passes=False,
        words=words,
        english=f"Role {role} version {number} may not (403); who may now: {may}.",
    )


def _explain_letter(route: ExplainedRoute, forbidden: frozenset[str]) -> ExplanationStep:
    if route.permission in forbidden:
        return ExplanationStep(
            question="letter",
            passes=False,
            words=(
                "Tindakan ini dikecualikan dari surat penugasannya, atau bukan bagian dari "
                "tugas pemeriksa kedua (403)."
            ),
            english="The letter, or the part of a second person, excludes this act (403).",
        )
    return ExplanationStep(
        question="letter",
        passes=True,
        words="Tidak dikecualikan oleh surat penugasan.",
        english="Not excluded by any letter.",
    )


def _explain_rows(
    claims: Mapping[str, Sequence[str]], resource: Mapping[str, str]
) -> list[ExplanationStep]:
    if not any(claims.values()):
        return [
            ExplanationStep(
                question="rows",
                passes=False,
                words="Tanpa cakupan: tidak melihat baris apa pun (404).",
                english="No scope: no row is seen (404).",
            )
        ]
    if not resource:
        answer = "; ".join(
            f"{name}: {', '.join(values)}" for name, values in sorted(claims.items())
        )
        return [
            ExplanationStep(
                question="rows",
                passes=True,
                words=f"Melihat baris dengan {answer}.",
                english=f"Sees rows with {answer}.",
            )
        ]
    return [
        _explain_row(name, value, claims.get(name, ())) for name, value in sorted(resource.items())
    ]


def _explain_row(name: str, value: str, values: Sequence[str]) -> ExplanationStep:
    if value in values or EVERYTHING in values:
        return ExplanationStep(
            question="rows",
            passes=True,
            words=f"Cakupan {name} memuat {value}.",
            english=f"The scope {name} covers {value}.",
        )
    return ExplanationStep(
        question="rows",
        passes=False,
        words=f"{value} di luar cakupan {name} (404, sama seperti tidak ada).",
        english=f"{value} is outside {name} (404, as if unknown).",
    )
