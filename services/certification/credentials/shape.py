"""The closed shape of a credential and of a status list (certification 2.1, 5.1 step 3).

Every member is named and any other is refused. JSON-LD drops terms that it does not know and
accepts a scalar for an array, so only a closed shape says what was signed (R1-R3).
Not here: whether the signature is valid, or what the values mean.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
OPEN_BADGES = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
CONTEXT = (CREDENTIALS_V2, OPEN_BADGES)
LIST_CONTEXT = (CREDENTIALS_V2,)
MAX_UNITS = 100
_ALLOWED_SUITES = (["eddsa-jcs-2022"], ["eddsa-jcs-2022", "eddsa-rdfc-2022"])

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DID = r"did:web:[a-z0-9.%A-Z-]{1,200}:i:[a-z0-9-]{1,60}"
_HOST = r"https://[a-z0-9.-]{1,200}(:[0-9]{1,5})?"
_LIST = _HOST + r"/l/[A-Za-z0-9_-]{1,60}"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})"


def _exactly(*values: str) -> AfterValidator:
    def check(texts: list[str]) -> list[str]:
        if texts != list(values):
            raise ValueError("not the fixed values")
        return texts

    return AfterValidator(check)


def _check_moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _matching(pattern: str) -> Any:
    return StringConstraints(pattern=f"^(?:{pattern})$")


Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Urn = Annotated[str, _matching(f"urn:uuid:{_UUID}")]
Did = Annotated[str, _matching(_DID)]
Moment = Annotated[str, _matching(_MOMENT), AfterValidator(_check_moment)]
SchemePage = Annotated[str, _matching(_HOST + r"/s/[a-z0-9-]{1,60}/[1-9][0-9]{0,4}")]
ListUrl = Annotated[str, _matching(_LIST)]
Index = Annotated[str, _matching("0|[1-9][0-9]{0,8}")]


Shape = TypeVar("Shape", bound=BaseModel)


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Proof(_Closed):
    type: Literal["DataIntegrityProof"]
    cryptosuite: Literal["eddsa-jcs-2022", "eddsa-rdfc-2022"]
    created: Moment
    verification_method: Annotated[str, _matching(_DID + r"#(key|status)-[0-9]{4}(-[b-z])?")] = (
        Field(alias="verificationMethod")
    )
    proof_purpose: Literal["assertionMethod"] = Field(alias="proofPurpose")
    proof_value: Annotated[str, _matching("z[1-9A-HJ-NP-Za-km-z]{80,100}")] = Field(
        alias="proofValue"
    )
    context: list[str] | None = Field(None, alias="@context")


class _Issuer(_Closed):
    id: Did
    type: Annotated[list[str], _exactly("Profile")]
    name: Text


class _Identity(_Closed):
    type: Literal["IdentityObject"]
    identity_type: Literal["name"] = Field(alias="identityType")
    hashed: Literal[False]
    identity_hash: Annotated[str, StringConstraints(min_length=1, max_length=120)] = Field(
        alias="identityHash"
    )


class _Alignment(_Closed):
    type: Annotated[list[str], _exactly("Alignment")]
    target_name: Text = Field(alias="targetName")
    target_code: Text = Field(alias="targetCode")
    target_framework: Text = Field(alias="targetFramework")
    target_url: SchemePage = Field(alias="targetUrl")


class _Criteria(_Closed):
    narrative: Text


class _Achievement(_Closed):
    id: SchemePage
    type: Annotated[list[str], _exactly("Achievement")]
    achievement_type: Literal["Certification"] = Field(alias="achievementType")
    name: Text
    description: Text
    criteria: _Criteria
    alignment: Annotated[list[_Alignment], Field(min_length=1, max_length=MAX_UNITS)]


class _Subject(_Closed):
    id: Urn
    type: Annotated[list[str], _exactly("AchievementSubject")]
    identifier: Annotated[list[_Identity], Field(min_length=1, max_length=1)]
    achievement: _Achievement


class _StatusEntry(_Closed):
    id: str
    type: Literal["BitstringStatusListEntry"]
    status_purpose: Literal["revocation", "suspension"] = Field(alias="statusPurpose")
    status_list_index: Index = Field(alias="statusListIndex")
    status_list_credential: ListUrl = Field(alias="statusListCredential")

    @model_validator(mode="after")
    def _check_entry_id(self) -> Self:
        if self.id != f"{self.status_list_credential}#{self.status_list_index}":
            raise ValueError("the id is not <list>#<index>")
        return self


Statuses = Annotated[list[_StatusEntry], Field(min_length=2, max_length=2)]
Proofs = Annotated[list[_Proof], Field(min_length=1, max_length=2)]


class Credential(_Closed):
    """A certificate as a W3C Verifiable Credential 2.0 with the Open Badges 3.0 vocabulary."""

    context: Annotated[list[str], _exactly(*CONTEXT)] = Field(alias="@context")
    id: Urn
    type: Annotated[list[str], _exactly("VerifiableCredential", "OpenBadgeCredential")]
    name: Text
    issuer: _Issuer
    awarded_date: Moment = Field(alias="awardedDate")
    valid_from: Moment = Field(alias="validFrom")
    valid_until: Moment = Field(alias="validUntil")
    credential_subject: _Subject = Field(alias="credentialSubject")
    credential_status: Statuses = Field(alias="credentialStatus")
    proof: Proofs

    @model_validator(mode="after")
    def _check_statuses_and_proofs(self) -> Self:
        purposes = [entry.status_purpose for entry in self.credential_status]
        if purposes != ["revocation", "suspension"]:
            raise ValueError("both statuses, revocation first")
        suites = [proof.cryptosuite for proof in self.proof]
        if suites not in _ALLOWED_SUITES:
            raise ValueError("one eddsa-jcs-2022 proof, then at most one eddsa-rdfc-2022 proof")
        return self


class _Bits(_Closed):
    id: str
    type: Literal["BitstringStatusList"]
    status_purpose: Literal["revocation", "suspension"] = Field(alias="statusPurpose")
    encoded_list: Annotated[str, _matching("u[A-Za-z0-9_-]+")] = Field(alias="encodedList")


class StatusList(_Closed):
    """A status list as a BitstringStatusListCredential (W3C Bitstring Status List v1.0)."""

    context: Annotated[list[str], _exactly(*LIST_CONTEXT)] = Field(alias="@context")
    id: ListUrl
    type: Annotated[list[str], _exactly("VerifiableCredential", "BitstringStatusListCredential")]
    issuer: Did
    valid_from: Moment = Field(alias="validFrom")
    valid_until: Moment = Field(alias="validUntil")
    credential_subject: _Bits = Field(alias="credentialSubject")
    proof: Proofs


def parse_credential(document: dict[str, Any]) -> Credential | None:
    """Return the credential, or None when a member is missing, added or of another shape."""
    return _parse(Credential, document)


def parse_status_list(document: dict[str, Any]) -> StatusList | None:
    """Return the status list, or None when a member is missing, added or of another shape."""
    return _parse(StatusList, document)


def _parse(shape: type[Shape], document: dict[str, Any]) -> Shape | None:
    try:
        return shape.model_validate(document)
    except ValidationError:
        return None
