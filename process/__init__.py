"""The only starter of processes: private folder, unprivileged user, fresh environment, limits on time and output.

A process of this machine or a container, by choice: ``process.engine`` has the second and is imported for it alone.

What a pull request feeds to a child cannot reach our environment, our token or the machine (SECURITY.md, P and H).
"""

from process.confinement import DEAD_PROXY, FIXED, NOBODY, OPEN_FILES, PLACES, PROCESSES, PROXIES, Limits
from process.family import finds_strays, kill_all
from process.runner import Runner, Start
from process.sandbox import RESERVE, Observer, Sandbox, free_bytes, unobserved
from process.watching import KEPT_OF_STDERR, End, Finished

__all__ = [
    "DEAD_PROXY",
    "FIXED",
    "KEPT_OF_STDERR",
    "NOBODY",
    "OPEN_FILES",
    "PLACES",
    "PROCESSES",
    "PROXIES",
    "RESERVE",
    "End",
    "Finished",
    "Limits",
    "Observer",
    "Runner",
    "Sandbox",
    "Start",
    "finds_strays",
    "free_bytes",
    "kill_all",
    "unobserved",
]
