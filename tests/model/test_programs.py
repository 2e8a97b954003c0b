"""Which component a container starts, whichever way its command says it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.programs import UNKNOWN, Start, start_of
from tests.resources import resources


def start(**container: Any) -> Start | None:
    """What the only container of a pod starts."""
    spec = {"containers": [{"name": "app", **container}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
    return start_of(resources(json.dumps(pod))[0].containers[0])


def told(**container: Any) -> tuple[str, ...]:
    """The program and its words; empty where it is no component."""
    found = start(**container)
    return (found.program, *[word.text for word in found.words]) if found else ()


@pytest.mark.parametrize(
    ("command", "args"),
    [
        (["kube-apiserver", "--a"], None),
        (["/usr/local/bin/kube-apiserver"], ["--a"]),
        (None, ["kube-apiserver", "--a"]),
        (["/hyperkube", "apiserver", "--a"], None),
        (["/hyperkube"], ["kube-apiserver", "--a"]),
        (["/go-runner", "--log-file=/x", "--also-stdout=false", "/usr/local/bin/kube-apiserver", "--a"], None),
        (["/sbin/tini", "--", "kube-apiserver", "--a"], None),
        (["sh", "-c", "kube-apiserver --a"], None),
        (["/bin/bash", "-euo", "pipefail", "-c"], ["sleep 1 && exec kube-apiserver --a | tee /log"]),
        (["sh", "-ec"], ["# starts it: don't\nUMASK=1 kube-apiserver \\\n  --a > /log\necho --b"]),
        (["sh", "-c", "if true; then /bin/kube-apiserver --a; fi"], None),
    ],
)
def test_a_component_is_known_by_its_program(command: list[str] | None, args: list[str] | None) -> None:
    assert told(command=command, args=args) == ("kube-apiserver", "--a")


@pytest.mark.parametrize(
    ("command", "args"),
    [
        (None, None),
        (None, ["--a"]),
        (["kube-apiserver-proxy", "--a"], None),
        (["apiserver", "--a"], None),
        (["kubectl", "get", "kube-apiserver"], None),
        (["sh", "-c", "echo kube-apiserver --a"], None),
        (["sh", "-c", "grep 'kube-apiserver"], None),
        (["sh", "/start.sh", "kube-apiserver"], None),
        (["sh", "-c"], None),
        ([["kube-apiserver"]], None),
        ({"kube-apiserver": 1}, "kube-apiserver"),
    ],
)
def test_what_only_mentions_a_component_does_not_start_it(command: Any, args: Any) -> None:
    assert told(command=command, args=args) == ()


@pytest.mark.parametrize(
    ("image", "program"),
    [
        ("etcd", "etcd"),
        ("quay.io:443/coreos/etcd:v3.5.9", "etcd"),
        ("registry.k8s.io/etcd-amd64@sha256:00", "etcd"),
        ("example.com/etcd-backup:1", ""),
        ("example.com/myetcd", ""),
        ("example.com/etcd/ui:1", ""),
        (None, ""),
    ],
)
def test_flags_without_a_command_are_for_the_program_of_the_image(image: Any, program: str) -> None:
    assert told(image=image, args=["--a"]) == ((program, "--a") if program else ())
    assert told(image=image, command=["--a"]) == ()
    assert told(image=image, args=["a"]) == ()


def test_references_are_expanded_as_kubernetes_does() -> None:
    env = [{"name": "IP", "value": "192.0.2.1"}, {"name": "URL", "value": "https://$(IP)"}]
    secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
    words = ["etcd", "$(URL):1", "$$(IP)", "$(NOBODY)", "$(TOKEN)", "a$"]
    assert told(command=words, env=[*env, secret]) == (
        "etcd",
        "https://192.0.2.1:1",
        "$(IP)",
        "$(NOBODY)",
        UNKNOWN,
        "a$",
    )
    assert told(command=["etcd", "$(NOBODY)"], envFrom=[{"secretRef": {"name": "a"}}]) == ("etcd", UNKNOWN)


def test_what_a_shell_would_fill_in_is_unknown() -> None:
    assert told(command=["sh", "-c", 'etcd --name=$HOSTNAME --x="${Y}" $ARGS `z`']) == (
        "etcd",
        f"--name={UNKNOWN}",
        f"--x={UNKNOWN}",
        UNKNOWN,
        f"{UNKNOWN}z{UNKNOWN}",
    )


def test_a_word_points_at_the_list_entry_that_holds_it() -> None:
    found = start(command=["etcd", "--a"], args=["--b"])
    assert found is not None
    assert [word.path[-2:] for word in found.words] == [("command", 1), ("args", 0)]
    assert found.path[-1] == "args"
    script = start(command=["sh", "-c", "etcd --a"])
    assert script is not None
    assert script.words[0].path[-2:] == script.path[-2:] == ("command", 2)


WORDS = st.lists(st.sampled_from(("sh", "-c", "etcd", "--a=", "'", '"', "$(", "\\", "#", "\0", "hyperkube", ";&|<>")))


@given(WORDS.map(" ".join), WORDS)
def test_no_command_raises(script: str, words: list[str]) -> None:
    told(command=["sh", "-c", script, *words])
    told(command=words, args=[script, 1, None, {}])


@pytest.mark.parametrize("unit", ["etcd ", "$(A)", "'", "etcd;", "\\\n", "${A}", "# etcd\n", "<", "a=etcd "])
def test_a_script_made_to_cost_time_costs_little(unit: str) -> None:
    begun = time.process_time()
    told(command=["sh", "-c", ("etcd " + unit * 60_000)[:60_000]])
    assert time.process_time() - begun < 2
