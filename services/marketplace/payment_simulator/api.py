"""Route by which a tester makes the payment simulator pay, or misbehave. Development only.

Its notifications go through the handler of all notifications.
Not here: that handler (payments).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from chassis.errors import DomainError
from services.marketplace.payment_simulator.rules import Command
from services.marketplace.payment_simulator.usecases import PaymentSimulator, SimulatorFactory
from services.marketplace.payments import payment_process
from services.marketplace.transaction import Run, step_runner

router = APIRouter(prefix="/v1/payments/sandbox", tags=["Pembayaran percobaan"])


def current_simulator(request: Request, run: Run) -> PaymentSimulator:
    """Return the simulator; this route exists only where it is the payment provider."""
    simulator_factory: SimulatorFactory = request.app.state.payment_provider_factory
    return simulator_factory(step_runner(run))


CurrentSimulator = Annotated[PaymentSimulator, Depends(current_simulator)]


class CommandResultBody(BaseModel):
    """How our handler answered the notifications that the simulator sent.

    `answers` are HTTP status codes, `problems` the codes of the problems among them.
    """

    order_ref: str
    answers: list[int]
    problems: list[str]


@router.post("/{order_ref}/{command}")
async def command_sandbox(
    order_ref: str, command: Command, run: Run, simulator: CurrentSimulator
) -> CommandResultBody:
    """Execute a command on a charge and process the notifications that follow.

    Commands: pay, duplicate, wrong_signature, wrong_amount, pay_unheard, pay_late, deny,
    refund_part, refund, claim_refund.
    """
    answers: list[int] = []
    problems: list[str] = []
    for notification in await simulator.execute(order_ref, command):
        try:
            await payment_process.process_notification(
                simulator.name,
                {"content-type": "application/json"},
                notification,
                simulator,
                step_runner(run),
            )
        except DomainError as error:
            answers.append(error.status)
            problems.append(error.code)
        else:
            answers.append(200)
    return CommandResultBody(order_ref=order_ref, answers=answers, problems=problems)
