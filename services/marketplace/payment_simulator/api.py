"""How a tester makes the sandbox gateway pay, or misbehave. Its notifications go through the handler that all notifications go through. Development only."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from chassis.errors import DomainError, NotFound
from services.marketplace.payment_simulator.rules import Command
from services.marketplace.payment_simulator.usecases import PaymentSimulator
from services.marketplace.payments import payment_process
from services.marketplace.payments.api import CurrentPaymentProvider
from services.marketplace.transaction import Run, without_idempotency_key

router = APIRouter(prefix="/v1/payments/sandbox", tags=["Pembayaran percobaan"])


class ObeyedBody(BaseModel):
    """What the sandbox sent, by the answers that our notification handler gave: HTTP status codes, and the code of the problem if it was one."""

    order_ref: str
    answers: list[int]
    problems: list[str]


@router.post("/{order_ref}/{command}")
async def command_sandbox(
    order_ref: str, command: Command, run: Run, payment_provider: CurrentPaymentProvider
) -> ObeyedBody:
    """Make the sandbox do something with a charge: pay, duplicate, wrong_signature, wrong_amount, pay_unheard, pay_late, deny, claim_refund."""
    if not isinstance(payment_provider, PaymentSimulator):
        raise NotFound
    answers: list[int] = []
    problems: list[str] = []
    for notice in await payment_provider.execute(order_ref, command):
        try:
            await payment_process.process_notification(
                payment_provider.name,
                {"content-type": "application/json"},
                notice,
                payment_provider,
                without_idempotency_key(run),
            )
        except DomainError as error:
            answers.append(error.status)
            problems.append(error.code)
        else:
            answers.append(200)
    return ObeyedBody(order_ref=order_ref, answers=answers, problems=problems)
