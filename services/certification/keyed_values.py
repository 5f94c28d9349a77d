"""The values under the name key: names, signed documents, papers, keys of lists.

Not here: when they are renewed (chassis.jobs.key_rotation).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from chassis.jobs.key_rotation import KeyedStore
from chassis.persistence.field_encryption import FieldCipher
from services.certification.applications.rules import Application
from services.certification.applications.store import Applications
from services.certification.applications.usecases import name_context
from services.certification.certificates.paper_rules import certificate_id_of
from services.certification.certificates.rules import ArchivedPaper, Certificate
from services.certification.certificates.store import Certificates, Papers
from services.certification.certificates.usecases import credential_context, paper_context
from services.certification.statuslists.rules import Epoch, ListKey
from services.certification.statuslists.store import Epochs
from services.certification.statuslists.usecases import key_context


def keyed_stores(cipher: FieldCipher) -> tuple[KeyedStore, ...]:
    """Return the stores whose documents name keys of the ring."""
    ring = cipher.ring
    return (
        KeyedStore(
            store=Applications,
            rings={"name.sealed": ring},
            renew=partial(_renew_application, cipher),
        ),
        KeyedStore(
            store=Certificates,
            rings={"sealed_name": ring, "sealed_credential": ring},
            renew=partial(_renew_certificate, cipher),
        ),
        KeyedStore(store=Papers, rings={"sealed": ring}, renew=partial(_renew_paper, cipher)),
        KeyedStore(
            store=Epochs,
            rings={"revocation.sealed_key": ring, "suspension.sealed_key": ring},
            renew=partial(_renew_epoch, cipher),
        ),
    )


def _renew_application(cipher: FieldCipher, application: Application) -> Application:
    name = application.name
    if name is None:
        return application
    sealed = cipher.renew_text(name.sealed, name_context(application.id))
    return replace(application, name=replace(name, sealed=sealed))


def _renew_certificate(cipher: FieldCipher, certificate: Certificate) -> Certificate:
    name = cipher.renew_text(certificate.sealed_name, name_context(certificate.application_id))
    credential = certificate.sealed_credential
    if credential is not None:
        credential = cipher.renew_text(credential, credential_context(certificate.id))
    return replace(certificate, sealed_name=name, sealed_credential=credential)


def _renew_paper(cipher: FieldCipher, paper: ArchivedPaper) -> ArchivedPaper:
    context = paper_context(certificate_id_of(paper))
    return replace(paper, sealed=cipher.renew_text(paper.sealed, context))


def _renew_epoch(cipher: FieldCipher, epoch: Epoch) -> Epoch:
    return replace(
        epoch,
        revocation=_renew_list_key(cipher, epoch.revocation),
        suspension=_renew_list_key(cipher, epoch.suspension),
    )


def _renew_list_key(cipher: FieldCipher, list_key: ListKey) -> ListKey:
    sealed = cipher.renew_text(list_key.sealed_key, key_context(list_key.list_id))
    return replace(list_key, sealed_key=sealed)
