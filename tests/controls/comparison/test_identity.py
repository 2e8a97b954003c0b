"""Which objects, containers and sources of two audits are the same, and which are not, although they look alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controls.compare import compare
from controls.fingerprint import Fingerprints
from model.audit import Audit, AuditedContainer, AuditedResource, Result
from model.comparison import Comparison
from model.errors import UsageError
from model.resource import ResourceRef, Source, SourceKind
from tests.audits import MANIFESTS, audit, location, resource, result


def thing(
    name: str = "web", namespace: str = "", *, says: str = "x", source: Source = MANIFESTS, **fields: Any
) -> AuditedResource:
    """A Deployment; what ``says`` the same has the same content, whatever it is called."""
    defaults = {
        "id": f"{source.id}#Deployment.apps/{namespace or '-'}/{name}",
        "ref": ResourceRef(group="apps", kind="Deployment", namespace=namespace, name=name),
        "source": source.id,
        "contents": (f"sha256:{says}",),
        "digest": f"sha256:{says}-{namespace}-{name}",
    }
    return resource(name, **{**defaults, **fields})


def flaw(of: AuditedResource, control: str = "image-tag", container: str | None = None) -> Result:
    """As the judge makes it."""
    return result(
        control, of, container=container, fingerprint=Fingerprints(MANIFESTS, of.ref).of(control, container, ())
    )


def compared(
    base: list[AuditedResource], head: list[AuditedResource], sources: tuple[Source, ...] = (), heads: Any = None
) -> Comparison:
    """Each of them has the same flaw."""
    sides = ((base, sources or (MANIFESTS,)), (head, heads or sources or (MANIFESTS,)))
    return compare(*(audit(side, [flaw(each) for each in side], sources=known) for side, known in sides))


def persists(comparison: Comparison) -> bool:
    return bool(comparison.persisting) and comparison.introduced == comparison.resolved == ()


def is_new(comparison: Comparison) -> bool:
    return comparison.persisting == () and bool(comparison.introduced) and bool(comparison.resolved)


def test_an_object_that_says_the_same_under_another_name_or_in_another_namespace_is_the_same() -> None:
    assert persists(compared([thing("web")], [thing("frontend")]))
    assert persists(compared([thing("web", "shop")], [thing("web", "store")]))
    assert persists(compared([thing("web", "shop")], [thing("frontend", "store")]))


def test_an_object_that_says_something_else_under_another_name_is_another_one() -> None:
    assert is_new(compared([thing("web")], [thing("frontend", says="y")]))
    assert is_new(compared([thing("web", "shop")], [thing("web", "store", says="y")]))


def test_audits_that_remember_no_content_prove_no_new_name() -> None:
    assert is_new(compared([thing("web", contents=())], [thing("frontend", contents=())]))


def test_an_audit_with_content_does_not_compare_with_one_without() -> None:
    with pytest.raises(UsageError, match="form of fingerprints differs"):
        compared([thing(contents=())], [thing()])


def test_a_flaw_that_comes_with_a_new_name_is_introduced() -> None:
    old, new = thing("web"), thing("frontend")
    worse = flaw(new, "host-network")
    comparison = compare(audit([old], [flaw(old)]), audit([new], [flaw(new), worse]))
    assert comparison.introduced == (worse,)
    assert comparison.resolved == ()


def test_the_namespace_that_one_side_leaves_open_does_not_matter_where_nobody_else_has_the_name() -> None:
    assert persists(compared([thing(namespace="default")], [thing(says="y")]))
    assert persists(compared([thing()], [thing(namespace="shop", says="y")]))
    two = [thing(namespace="shop", says="y"), thing(namespace="store", says="z")]
    assert is_new(compared([thing()], two))


def test_a_namespace_that_others_prove_to_be_renamed_is_renamed_for_all() -> None:
    old, new = ([thing("web", space), thing("api", space, says=says)] for space, says in (("a", "1"), ("b", "2")))
    assert persists(compared(old, new))
    split = [thing("web", "a"), thing("db", "a", says="d"), thing("api", "a", says="1")]
    torn = [thing("web", "b"), thing("db", "c", says="d"), thing("api", "b", says="2")]
    assert len(compared(split, torn).introduced) == 1


@pytest.mark.parametrize("form", ["pre-{}", "{}-v2"])
def test_a_prefix_or_suffix_that_others_prove_to_be_new_is_new_for_all(form: str) -> None:
    old = [thing("web", says="1"), thing("api", says="2"), thing("db", says="3")]
    new = [thing(form.format(name), says=says) for name, says in (("web", "1"), ("api", "2"), ("db", "another"))]
    assert persists(compared(old, new))
    assert persists(compared(new, old))
    assert len(compared(old[1:], new[1:]).introduced) == 1, "one object proves no rule"
    odd = thing("queue", says="4"), thing("kafka", says="4")
    assert len(compared([*old, odd[0]], [*new, odd[1]]).introduced) == 1, "there is no rule"


def kinds(*rows: tuple[str, str, str], source: Source = MANIFESTS, namespace: str = "") -> list[AuditedResource]:
    """Things of a kind and name, and what they say."""
    refs = [(ResourceRef(group="", kind=kind, namespace=namespace, name=name), says) for kind, name, says in rows]
    return [thing(ref.name, says=says, ref=ref, id=f"{source.id}#{ref}", source=source) for ref, says in refs]


def test_a_new_name_that_one_object_proves_is_that_of_its_relatives() -> None:
    old = kinds(("Service", "db", "s"), ("Deployment", "db", "1"), ("Secret", "db-login", "1"))
    new = kinds(("Service", "pg", "s"), ("Deployment", "pg", "2"), ("Secret", "pg-login", "2"))
    assert persists(compared(old, new))
    assert persists(compared(new, old))
    worse = flaw(new[1], "host-network")
    comparison = compare(audit(old, map(flaw, old)), audit(new, [*map(flaw, new), worse]))
    assert comparison.introduced == (worse,)


def test_a_word_that_only_begins_alike_is_no_relative() -> None:
    old = kinds(("Service", "db", "s"), ("Deployment", "dbx", "1"), ("Secret", "my-db", "1"))
    new = kinds(("Service", "pg", "s"), ("Deployment", "pgx", "2"), ("Secret", "my-pg", "2"))
    assert len(compared(old, new).introduced) == 2


def test_a_name_that_somebody_keeps_or_that_is_not_certain_is_no_rule_for_relatives() -> None:
    old, new = (kinds(("Service", name, "s"), ("Deployment", name, name)) for name in ("db", "pg"))
    stays = kinds(("ConfigMap", "db", "c"))
    assert len(compared([*old, *stays], [*new, *stays]).introduced) == 1
    taken = kinds(("ConfigMap", "pg", "c"))
    assert len(compared([*old, *taken], [*new, *taken]).introduced) == 1
    equals = [kinds(("Service", name, "s")) for name in ("other", "some")]
    assert len(compared([*old, *equals[0]], [*new, *equals[1]]).introduced) == 1


def test_of_relatives_of_two_names_the_longer_one_counts() -> None:
    old = kinds(("Service", "db", "s"), ("Service", "db-log", "t"), ("Deployment", "db-log-x", "1"))
    new = kinds(("Service", "pg", "s"), ("Service", "log", "t"), ("Deployment", "log-x", "2"))
    astray = kinds(("Deployment", "pg-log-x", "2"))
    assert persists(compared(old, new))
    for sides in ((old, [*new[:2], *astray]), ([*new[:2], *astray], old)):
        assert len(compared(*sides).introduced) == 1


def test_a_hash_of_the_content_in_the_name_is_no_new_name() -> None:
    old, new = (thing(f"config-{hashed}", says=hashed, stem="config") for hashed in ("2b5c7d9f4k", "9f4k2b5c7d"))
    assert persists(compared([old], [new]))
    assert is_new(compared([replace(old, stem=None)], [replace(new, stem=None)]))


def test_a_container_that_is_equal_but_for_its_name_is_the_same() -> None:
    old, new = (thing(says=key, containers=(AuditedContainer(key=key, contents=("c",)),)) for key in ("app", "main"))
    base, head = audit([old], [flaw(old, container="app")]), audit([new], [flaw(new, container="main")])
    comparison = compare(base, head)
    assert persists(comparison)
    assert comparison.couples[0].containers == (("app", "main"),)
    changed = replace(new, containers=(AuditedContainer(key="main", contents=("d",)),))
    assert is_new(compare(base, replace(head, resources=(changed,))))


def test_of_equal_containers_each_is_renamed_once() -> None:
    keys = (("a", "b"), ("c", "d", "e"))
    old, new = (thing(containers=tuple(AuditedContainer(key=key, contents=("c",)) for key in row)) for row in keys)
    base = audit([old], [flaw(old, container=key) for key in keys[0]])
    head = audit([new], [flaw(new, container=key) for key in keys[1]])
    assert [row.container for row in compare(base, head).introduced] == ["e"]


def test_an_object_that_moves_into_another_source_is_the_same_where_nobody_else_could_be_meant() -> None:
    chart, overlay = source(SourceKind.HELM, "charts/web"), source(SourceKind.KUSTOMIZE, "deploy")
    sources = (MANIFESTS, chart, overlay)
    assert persists(compared([thing()], [thing(says="y", source=overlay)], sources))
    twice = [thing(says="y", source=overlay), thing(says="z", source=chart)]
    assert is_new(compared([thing()], twice, sources))
    one_is_equal = [thing(says="y", source=overlay), thing(source=chart)]
    assert [row.resource for row in compared([thing()], one_is_equal, sources).introduced] == [one_is_equal[0].id]


RAW_ROWS = (("Service", "db", "d"), ("Service", "web", "w"), ("ConfigMap", "set", "1"), ("Account", "db", ""))
PREFIXED = (("Service", "x-db", "d"), ("Service", "x-web", "w"), ("ConfigMap", "x-set", "2"), ("Account", "x-db", ""))


@pytest.mark.parametrize("kind", [SourceKind.KUSTOMIZE, SourceKind.HELM])
def test_objects_that_get_a_prefix_as_they_move_into_another_source_are_the_same(kind: SourceKind) -> None:
    place = source(kind, "deploy")
    sources = (MANIFESTS, place)
    old, new = kinds(*RAW_ROWS), kinds(*PREFIXED, source=place)
    assert persists(compared(old, new, sources))
    assert persists(compared(new, old, sources))
    assert is_new(compared(old[:1], new[:1], sources)), "one name proves no rule"
    assert is_new(compared(old[3:], new[3:], sources)), "an account says nothing"


def test_a_workload_that_moves_under_another_name_is_the_same_and_so_are_its_relatives() -> None:
    place = source(SourceKind.KUSTOMIZE, "deploy")
    containers = (AuditedContainer(key="app", contents=("c",)),)
    old = [thing("web", containers=containers), *kinds(("Service", "web", "1"))]
    new = [thing("api", containers=containers, source=place), *kinds(("Service", "api", "2"), source=place)]
    assert persists(compared(old, new, (MANIFESTS, place)))


def test_copies_and_canaries_in_another_source_are_new() -> None:
    place = source(SourceKind.KUSTOMIZE, "deploy")
    sources = (MANIFESTS, place)
    containers = (AuditedContainer(key="app", contents=("c",)),)
    old = thing("web", containers=containers)
    copies = [thing(name, containers=containers, source=place) for name in ("x-web", "x-web-canary")]
    assert len(compared([old], [old, copies[0]], sources).introduced) == 1
    assert is_new(compared([old], copies, sources)), "either may be it"


def test_who_could_have_moved_into_two_sources_is_paired_once() -> None:
    one, other = (source(SourceKind.KUSTOMIZE, path) for path in ("one", "other"))
    old = kinds(("Service", "a", "1"), ("Service", "b", "2"), ("Service", "c", "3"), ("Service", "d", "4"))
    old += kinds(("Secret", "a", "5"))
    new = kinds(("Service", "x-a", "1"), ("Service", "x-b", "2"), ("Secret", "x-a", "6"), source=one)
    new += kinds(("Service", "y-c", "3"), ("Service", "y-d", "4"), ("Secret", "y-a", "5"), source=other)
    for sides in ((old, new), (new, old)):
        comparison = compared(*sides, (MANIFESTS, one, other))
        paired = [id(side) for each in comparison.couples for side in (each.base, each.head) if side]
        assert len(paired) == len(set(paired)) == len(old) + len(new)


def inside(name: str, *volumes: str, says: str = "same") -> tuple[AuditedResource, list[Result]]:
    """A pod that says the same but for the names of its ``volumes``, each of them with the same flaw."""
    one = thing(contents=(f"sha256:{name}", "2", "3", "4", says), digest=f"sha256:{name}")
    prints = Fingerprints(MANIFESTS, one.ref)
    return one, [
        result(
            "host-path", one, container=None, fingerprint=prints.of("host-path", None, ("volumes", f"name={volume}"))
        )
        for volume in volumes
    ]


def of_inside(base: tuple[AuditedResource, list[Result]], head: tuple[AuditedResource, list[Result]]) -> Comparison:
    return compare(*(audit([one], flaws) for one, flaws in (base, head)))


def test_a_flaw_of_a_list_item_that_was_renamed_and_nothing_else_persists() -> None:
    comparison = of_inside(inside("a", "data", "sock"), inside("b", "disk", "sock"))
    assert persists(comparison)
    assert len(comparison.changed_resources) == 1


def test_a_flaw_of_a_list_item_is_new_where_more_than_its_name_has_changed_or_two_could_be_meant() -> None:
    assert is_new(of_inside(inside("a", "data"), inside("b", "disk", says="another")))
    assert is_new(of_inside(inside("a", "data", "sock"), inside("b", "disk", "socket")))
    assert len(of_inside(inside("a", "data"), inside("b", "data", "disk")).introduced) == 1
    assert len(of_inside(inside("a", "data"), inside("b", "disk", "more")).introduced) == 2


def test_a_renamed_list_item_with_another_control_is_introduced() -> None:
    one, flaws = inside("b", "disk")
    worse = [replace(flaws[0], control="docker-socket", fingerprint=f"{flaws[0].fingerprint[:-32]}{'f' * 32}")]
    assert is_new(of_inside(inside("a", "data"), (one, worse)))


def source(kind: SourceKind, path: str, name: str = "", environment: str = "") -> Source:
    """``name``: by default the path."""
    id_ = f"{kind}:{path}?{environment}"
    return replace(MANIFESTS, id=id_, kind=kind, path=path, name=name or path, environment=environment)


def of_chart(chart: Source, **fields: Any) -> AuditedResource:
    return thing(f"release-{chart.name}-web", source=chart, **fields)


def test_a_chart_with_another_name_in_the_same_folder_is_the_same_and_so_are_its_objects() -> None:
    old, new = (source(SourceKind.HELM, "chart", name) for name in ("nats", "natsio"))
    assert persists(compared([of_chart(old)], [of_chart(new, says="y")], (old,), (new,)))


def test_a_chart_in_another_folder_is_the_same_by_its_name() -> None:
    old, new = (source(SourceKind.HELM, path, "nats") for path in ("a/nats", "b/nats"))
    assert persists(compared([of_chart(old)], [of_chart(new, says="y")], (old,), (new,)))


def test_charts_of_one_name_are_told_apart_by_their_folder() -> None:
    ours = tuple(source(SourceKind.HELM, path, "app") for path in ("a", "b"))
    base, head = ([of_chart(each, says=f"{each.path}{turn}") for each in ours] for turn in (1, 2))
    lacking = audit(base, [flaw(base[0])], sources=ours)
    comparison = compare(lacking, audit(head, [flaw(head[1])], sources=ours))
    assert [row.resource for row in comparison.introduced] == [head[1].id]


def test_a_chart_that_took_the_folder_of_another_one_is_not_that_one() -> None:
    old, new = source(SourceKind.HELM, "a", "app"), source(SourceKind.HELM, "a", "other")
    moved = source(SourceKind.HELM, "b", "app")
    comparison = compared([of_chart(old)], [of_chart(new, says="n"), of_chart(moved, says="y")], (old,), (new, moved))
    assert [row.resource for row in comparison.introduced] == [of_chart(new).id]


def test_a_kustomization_that_moves_is_the_same_if_most_of_its_objects_are() -> None:
    old, new = source(SourceKind.KUSTOMIZE, "overlays/dev"), source(SourceKind.KUSTOMIZE, "clusters/eu")
    base = [thing(name, source=old, says=f"{name}1") for name in ("a", "b", "c")]
    head = [thing(name, source=new, says=f"{name}2") for name in ("b", "c", "d")]
    comparison = compared(base, head, (old,), (new,))
    assert len(comparison.persisting) == 2
    assert comparison.sources == ((old.id, new.id),)
    apart = compared(base, [thing("z", source=new, says="z"), *head[2:]], (old,), (new,))
    assert apart.sources == ((old.id, None), (None, new.id))


def test_of_kustomizations_with_the_same_objects_the_folder_of_the_same_name_is_meant() -> None:
    places = [[source(SourceKind.KUSTOMIZE, f"{top}/{name}") for name in ("dev", "prod")] for top in ("b", "a")]
    base, head = ([thing(source=each) for each in row] for row in (places[0], [*reversed(places[1])]))
    comparison = compared(base, head, tuple(places[0]), tuple(places[1]))
    assert comparison.sources == tuple((old.id, new.id) for old, new in zip(*places, strict=True))


def test_an_environment_with_another_name_and_the_same_values_is_the_same() -> None:
    old, new = (
        replace(source(SourceKind.HELM, "c", "app", name), values=("c/prod.yaml",)) for name in ("prod", "live")
    )
    other = source(SourceKind.HELM, "c", "app", "dev")
    comparison = compared([of_chart(old)], [of_chart(other, says="y"), of_chart(new)], (old,), (other, new))
    assert [row.resource for row in comparison.introduced] == [of_chart(other).id]


def test_what_lies_in_a_renamed_file_among_namesakes_is_found_by_what_it_says() -> None:
    rows = [("a.yaml", "x"), ("b.yaml", "y")]
    base = [thing(id=path, digest=says, says=says, location=location(path)) for path, says in rows]
    head = [
        thing(id=f"new-{path}", digest=says, says=says, location=location(f"new/{path}")) for path, says in rows[1:]
    ]
    comparison = compared(base, head)
    assert [row.resource for row in comparison.resolved] == ["a.yaml"]


def test_thousands_of_objects_that_are_all_called_otherwise_take_no_time() -> None:
    overlays = [source(SourceKind.KUSTOMIZE, f"{top}/{n}") for top in ("a", "b") for n in range(1000)]
    sides: list[Audit] = []
    for turn, row in enumerate((overlays[:1000], overlays[1000:])):
        held = [thing(f"{name}{turn}", says=f"{name}{n}", source=each) for n, each in enumerate(row) for name in "xyz"]
        sides.append(audit(held, [flaw(each) for each in held], sources=tuple(row)))
    assert len(compare(*sides).persisting) + len(compare(*sides).introduced) == 3000
