"""The label for emergencies, as far as a run can tell without asking anybody; only the server can confirm it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from controls.gate import in_emergency
from model.occasion import Occasion
from model.policy import BreakGlass
from model.verdict import Emergency, Unconfirmed
from verbs.outcome import Outcome

UNASKED: Final = "nobody has confirmed it"
REMEDY: Final = "Run it as the action, with a token: only the server knows who has set the label."


def unasked(outcome: Outcome, occasion: Occasion | None) -> Outcome:
    """The outcome of a run that asks nobody: a label that the event shows lets nothing pass, and that is said."""
    if outcome.way_out is None:
        return outcome
    return with_claim(outcome, unknown(outcome.way_out, occasion, UNASKED, REMEDY))


def with_claim(outcome: Outcome, claim: Emergency | Unconfirmed | None) -> Outcome:
    """The outcome with what was found out about the label; None where it is not set."""
    return outcome if claim is None else replace(outcome, verdict=in_emergency(outcome.verdict, claim))


def unknown(way_out: BreakGlass, occasion: Occasion | None, reason: str, remedy: str) -> Unconfirmed | None:
    """Why the label that the event shows does not count; None where it shows none."""
    labels = occasion.labels if occasion else ()
    found = next((label for label in labels if label.name.casefold() == way_out.label.casefold()), None)
    if found is None:
        return None
    return Unconfirmed(label=found.name, set_by=found.set_by, reason=reason, remedy=remedy)
