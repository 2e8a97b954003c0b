"""``publish``: the second stage for forks, in a job that the fork does not control (docs/forks.md).

What the run of the fork left behind is a claim. Commit, repository and pull request come from the event and from
GitHub; head is audited again, as data, by base's policy, before anything is said about it.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, replace
from typing import Final

from controls import catalogue as catalogues
from model.audit import Audit
from model.errors import EnvironmentBrokenError, ExitCode, UsageError
from model.occasion import Occasion, PullRequest, Trigger
from model.verdict import Verdict, VerdictWord
from process import Sandbox
from publishing.code_scanning import Judged
from publishing.failure import PublishError
from publishing.place import Target, repository
from publishing.proposal import Refused, find
from reporting.numbers import percent
from reporting.text import Terminal
from revisions.origin import Credentials
from revisions.repository import Repository
from settings import Publishing, PublishSettings, ScanSettings
from verbs.announce import announcing, client_of
from verbs.claims import findings, read_claim
from verbs.conclude import conclude
from verbs.console import Console
from verbs.examine import examine
from verbs.outcome import Outcome, Presentation
from verbs.sandboxes import open_sandbox
from verbs.sides import settle_sides

FOLLOWS: Final = "workflow_run"
AGAIN: Final = "Audited again in a job of this repository, which the pull request cannot change"
UNCHECKED: Final = (
    "**Reported by the run of the fork, and checked by nobody.** A fork may change the workflow that made this report,"
    " so it proves nothing."
)


def publish(wanted: PublishSettings) -> int:
    """The exit code: that of the audit that was made here; 0 where the word of the run is repeated as such.

    Raises UsageError for a claim or a run that is refused: then nothing is told to anybody.
    """
    gc.disable()  # as for a scan
    console = Console(quiet=wanted.quiet, verbose=wanted.verbose, progress=wanted.progress)
    occasion, trigger, publishing = _circumstances(wanted)
    claim = read_claim(wanted.folder, catalogues.load())
    pull = _pull_request(wanted.scan, publishing, occasion, trigger)
    target = Target(repository=repository(occasion.repository), commit=trigger.head_sha, number=pull.number)
    with announcing(wanted.scan, publishing, target, console, is_open_to_strangers=False) as announcement:
        if wanted.trust == "none":
            shown = Presentation(job=publishing.id, run_url=publishing.run_url)
            refused = announcement.repeat(repeated(claim, shown), UNCHECKED)
            return ExitCode.ENVIRONMENT if refused and wanted.scan.require_publish else ExitCode.PASSED
        with open_sandbox(wanted.scan.runner, wanted.scan.home, console.command) as sandbox:
            second = _SecondLook(wanted=wanted.scan, occasion=occasion, pull=pull, sandbox=sandbox, console=console)
            outcome, judged = second.outcome()
        outcome = announcement.honoured(_beside(outcome, claim), occasion)
        # The status says what the verdict is, whatever the exit code of this job: it belongs to another commit.
        code = outcome.verdict.exit_code
        return conclude(outcome, wanted.scan, console, lambda _: announcement.tell(outcome, judged, code))


def _circumstances(wanted: PublishSettings) -> tuple[Occasion, Trigger, Publishing]:
    """Raises UsageError outside of a workflow that follows another one."""
    occasion, publishing = wanted.scan.occasion, wanted.scan.publishing
    if occasion is None or publishing is None or occasion.event != FOLLOWS or occasion.trigger is None:
        event = "no event" if occasion is None else occasion.event
        raise UsageError(
            f"publish is for a job on {FOLLOWS}, and {event} has started this one",
            "See docs/forks.md for the workflow; on `pull_request` the action publishes by itself.",
        )
    return occasion, occasion.trigger, publishing


def _pull_request(wanted: ScanSettings, publishing: Publishing, occasion: Occasion, trigger: Trigger) -> PullRequest:
    """The one that the run was about.

    Raises UsageError where there is none, EnvironmentBrokenError if nobody can tell.
    """
    with client_of(wanted, publishing) as client:
        found = find(client, repository(occasion.repository), trigger)
    if isinstance(found, PublishError):
        raise EnvironmentBrokenError(f"{found.what} cannot be found: {found.reason}", found.remedy)
    if isinstance(found, Refused):
        raise UsageError(f"this run is not published: {found.reason}", found.remedy)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _SecondLook:
    """The audit of a pull request of which nothing is checked out."""

    wanted: ScanSettings
    occasion: Occasion
    pull: PullRequest
    sandbox: Sandbox
    console: Console

    def outcome(self) -> tuple[Outcome, Judged]:
        """What came out, and what the results are about."""
        with self.console.step(Terminal("fetching base and head")):
            afar = self._repository()
            head, ref = self._head(afar)
        pull = replace(self.occasion, event="pull_request", sha=head, ref=ref, pull_request=self.pull, trigger=None)
        top = afar.work_tree
        paths = tuple(top / path for path in self.wanted.paths)
        wanted = replace(self.wanted, occasion=pull, head=head, root=top, paths=paths or (top,))
        sides = settle_sides(wanted, self.sandbox, afar)
        return examine(wanted, sides, self.sandbox, self.console), Judged(ref=ref, commit_sha=head)

    def _repository(self) -> Repository:
        server = self.occasion.server
        return Repository.afar(
            f"{server}/{self.occasion.repository}",
            self.sandbox,
            form="sha1" if len(self.pull.head_sha) == 40 else "sha256",
            credentials=Credentials(token=self.wanted.token, server=server) if self.wanted.token else None,
            network=self.wanted.network,
        )

    def _head(self, afar: Repository) -> tuple[str, str]:
        """GitHub's merge of this very head into base, else the head itself; and its ref. Raises UsageError."""
        merge, head = (f"refs/pull/{self.pull.number}/{name}" for name in ("merge", "head"))
        try:
            found = afar.obtain(merge)
        except EnvironmentBrokenError:
            found = None  # no merge where there is a conflict
        if found is not None:
            parents = afar.parents(found)
            if len(parents) == 2 and parents[1] == self.pull.head_sha:
                return found, merge
        if (tip := afar.obtain(head)) != self.pull.head_sha:
            raise UsageError(
                f"this run is not published: the head is {tip[:12]} now, not {self.pull.head_sha[:12]}",
                "The run for the newer commit publishes; nothing is to be done.",
            )
        return tip, head


def _beside(outcome: Outcome, claim: Audit) -> Outcome:
    """The outcome, and where the claim differs: in numbers of ours alone."""
    ours, theirs = (f"score {percent(audit.score)}, findings {findings(audit)}" for audit in (outcome.head, claim))
    remarks = [AGAIN]
    if ours != theirs:
        remarks.append(f"The run of the fork says otherwise: {theirs}; here {ours}")
    return replace(outcome, verdict=replace(outcome.verdict, remarks=(*outcome.verdict.remarks, *remarks)))


def repeated(claim: Audit, presentation: Presentation) -> Outcome:
    """What the run says, with no verdict on it."""
    return Outcome(
        head=claim,
        comparison=None,
        verdict=Verdict(word=VerdictWord.NOT_COMPARED, exit_code=ExitCode.PASSED, reasons=(), blocking=()),
        controls=catalogues.load().with_unmapped(result.control for result in claim.results),
        presentation=presentation,
    )
