"""Tells GitHub what came out: status, comment, code scanning, annotations, summary. What fails is a value, told once.

Nothing here changes a verdict, but for the label for emergencies, which only the server can confirm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from http_session import Route
from model.errors import HardeningGateError
from model.occasion import Occasion
from model.resource import Failure, Stage
from publishing import code_scanning, comment, pull_request, status, summary
from publishing.api import Api
from publishing.client import Client
from publishing.code_scanning import OTHER_COMMIT, Judged
from publishing.comment import CommentOutcome, Draft
from publishing.failure import PublishError
from publishing.place import JobId, Target
from publishing.status import State, Status
from reporting.text import annotation, terminal
from reporting.verdict_line import verdict_line
from settings import Publishing, ScanSettings
from verbs.console import Console, write_report
from verbs.emergency import UNASKED, unknown, with_claim
from verbs.outcome import Outcome

BEGINNING: Final = 5.0
"""Seconds of patience before the scan: the status of its end is the one that counts."""
DEFECT: Final = "hardening-gate has a defect, see the log"
SUMMARY: Final = 250_000
"""Characters of the summary of a job: at four bytes each it keeps below what the runner takes."""


@dataclass(kw_only=True)
class Announcement:
    """What one run tells the server. Its methods are called in their order here."""

    publishing: Publishing
    job: JobId
    target: Target
    client: Client
    console: Console
    is_open_to_strangers: bool
    """Whether anybody can cause the event: then nothing is told before the run has been let in."""
    is_required: bool
    """Whether a run that would pass does not where something is not published."""
    _failures: list[PublishError] = field(default_factory=list)
    _exit_code: int | None = None
    """With which the status says that the run ends; None before that."""
    _warned: int = 0
    """How many of these people have read."""

    def begin(self) -> None:
        """Take back what an earlier run has said of the same commit, unless strangers can start this one.

        What is refused here is asked for once more at the end, and told then.
        """
        if self.is_open_to_strangers:
            return
        with self.client.apart(BEGINNING):
            self._set_status(State.PENDING, "Looking at base and head")
        self._failures.clear()

    def honoured(self, outcome: Outcome, occasion: Occasion | None) -> Outcome:
        """The outcome, passed where the label for emergencies is set and the server confirms that it counts."""
        way_out, number = outcome.way_out, self.target.number
        if way_out is None or number is None or outcome.verdict.exit_code == 0:
            return outcome
        found = pull_request.confirm(self.client, self.target.repository, number, way_out.label, way_out.teams)
        if isinstance(found, PublishError):
            refused = found
            found = unknown(way_out, occasion, f"{UNASKED}: {refused.reason}", refused.remedy)
            if found is None:  # it may have been set since
                words = f"nobody knows whether the label {way_out.label} is set: {refused.reason}. {refused.remedy}"
                self.console.remark(words)
        return with_claim(outcome, found)

    def tell(self, outcome: Outcome, judged: Judged | PublishError, exit_code: int) -> tuple[Failure, ...]:
        """Status, comment, code scanning, annotations; the summary comes last and says what of these was refused.

        ``judged``: what code scanning is told that the results are about; ``exit_code``: that of this run. Returns all
        that is not where people look for it.
        """
        self._exit_code = exit_code
        if judged == OTHER_COMMIT and self.target.number is None:  # of a pull request it is a verdict: incomplete
            self._set_status(State.ERROR, "No verdict: another commit was judged, see the run")
        else:
            state = State.FAILURE if exit_code else State.SUCCESS
            self._set_status(state, verdict_line(outcome.head, outcome.comparison, outcome.verdict))
        self._comment(outcome)
        self._upload(outcome, judged)
        if self.publishing.annotations:
            write_report(None, outcome.render("github"))
        self._summarize(outcome)
        if self._failures and self.is_required and not exit_code:
            self._set_status(State.ERROR, f"Not published, which is required: {self._failures[0].what}")
        self._warn()
        return self._told

    def repeat(self, claimed: Outcome, preface: str) -> tuple[Failure, ...]:
        """Comment and summary of what somebody else says, below a ``preface`` of ours; the status stays pending."""
        line = verdict_line(claimed.head, None, claimed.verdict)
        self._set_status(State.PENDING, f"Reported by the run of the fork, and not checked: {line}")
        self._comment(claimed, preface)
        self._summarize(claimed, preface)
        self._warn()
        return self._told

    def tell_error(self, message: str) -> None:
        """The run ends otherwise than it was to, and the commit must not look as if it had passed."""
        was_let_in = self._exit_code is not None or not self.is_open_to_strangers
        if self._exit_code or not was_let_in:  # what blocks goes on blocking
            return
        so_far = "No verdict" if self._exit_code is None else "Passed, but not to the end"
        self._set_status(State.ERROR, f"{so_far}: {message}")
        self._warn()

    # ------------------------------------------------------------ one at a time

    @property
    def _told(self) -> tuple[Failure, ...]:
        """The failures as the audit keeps them."""
        return tuple(
            Failure(stage=Stage.PUBLISH, path=".", reason=f"{error.what}: {error.reason}", remedy=error.remedy)
            for error in self._failures
        )

    def _warn(self) -> None:
        """One warning for each failure, in the log and beside the run."""
        for error in self._failures[self._warned :]:
            words = terminal("{}: {}. {}", error.what, error.reason, error.remedy)
            self.console.warning(annotation("warning", {"title": f"Not published: {error.what}"}, words))
        self._warned = len(self._failures)

    def _set_status(self, state: State, description: str) -> None:
        if not self.publishing.status:
            return
        told = Status(
            repository=self.target.repository,
            sha=self.target.commit,
            job=self.job,
            state=state,
            description=description,
            target_url=self.publishing.run_url,
        )
        self._note(status.publish(self.client, told))

    def _comment(self, outcome: Outcome, preface: str = "") -> None:
        if not self.publishing.comment or self.target.number is None:
            return
        text = _below(preface, outcome.markdown(comment.LONGEST - len(preface) - 2))
        draft = Draft(
            repository=self.target.repository,
            number=self.target.number,
            head_sha=self.target.commit,
            job=self.job,
            text=text,
        )
        done = comment.upsert(self.client, draft)
        self._note(done)
        if done is CommentOutcome.STALE:
            self.console.remark("the pull request has a newer head: the comment is left to its run")

    def _upload(self, outcome: Outcome, judged: Judged | PublishError) -> None:
        if not self.publishing.upload_sarif:
            return
        if isinstance(judged, PublishError):
            self._note(judged)
            return
        sarif = "".join(outcome.render("sarif")).encode()
        done = code_scanning.upload(self.client, self.target.repository, judged, sarif)
        self._note(done)

    def _summarize(self, outcome: Outcome, preface: str = "") -> None:
        """The same content as the comment."""
        if self.publishing.summary is None:
            return
        text = _below(preface, outcome.with_failures(self._told).markdown(SUMMARY, run_url=""))
        self._note(summary.append(self.publishing.summary, text))

    def _note(self, done: object) -> None:
        if isinstance(done, PublishError) and done not in self._failures:
            self._failures.append(done)


def _below(preface: str, text: str) -> str:
    return f"{preface}\n\n{text}" if preface else text


def client_of(wanted: ScanSettings, publishing: Publishing) -> Client:
    """Raises UsageError for an address that is not usable."""
    route = Route(proxy=publishing.proxy, no_proxy=publishing.no_proxy, certificates=publishing.certificates)
    return Client(api=Api.at(publishing.api), token=wanted.token, route=route)


@contextmanager
def announcing(
    wanted: ScanSettings, publishing: Publishing, target: Target, console: Console, *, is_open_to_strangers: bool
) -> Iterator[Announcement]:
    """The announcement of a run. An error inside is told before it goes on.

    Raises UsageError for an id or an address that is not usable.
    """
    job = JobId(text=publishing.id)
    with client_of(wanted, publishing) as client:
        announcement = Announcement(
            publishing=publishing,
            job=job,
            target=target,
            client=client,
            console=console,
            is_open_to_strangers=is_open_to_strangers,
            is_required=wanted.require_publish,
        )
        announcement.begin()
        cause = DEFECT
        try:
            yield announcement
            cause = ""
        except HardeningGateError as error:
            cause = error.message
            raise
        finally:
            if cause:
                announcement.tell_error(cause)
