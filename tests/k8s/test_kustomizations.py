"""What k8s/ builds: valid for Kubernetes, whole, and with settings that exist."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from app.rule_files.cases import SUFFIX as CASES
from app.settings.model import fields, variable
from tests.k8s import validator
from tests.k8s.kustomize import Manifest, build, kustomization_of, load, of_kind

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "app" / "rules"
OVERLAYS = sorted(p for p in (REPOSITORY / "k8s" / "overlays").iterdir() if p.is_dir())
FOLDERS = [REPOSITORY / "k8s" / "base", RULES, *OVERLAYS]


def by_name(folder: Path) -> str:
    """How a parametrised test calls a folder."""
    return folder.name


@pytest.fixture(params=OVERLAYS, ids=by_name)
def overlay(request: pytest.FixtureRequest) -> list[Manifest]:
    """Each overlay, built."""
    return build(request.param)


def worker_of(manifests: list[Manifest]) -> Manifest:
    """The worker's pod specification."""
    spec: Manifest = of_kind(manifests, "StatefulSet")["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("folder", FOLDERS, ids=by_name)
def test_a_kustomization_names_every_file_beside_it_and_no_other(folder: Path) -> None:
    file = kustomization_of(folder)
    [kustomization] = load(file)
    named = {name for name in kustomization.get("resources", ()) if (folder / name).is_file()}
    for generator in kustomization.get("configMapGenerator", ()):
        named |= {*generator.get("files", ()), *generator.get("envs", ())}
    named |= {patch["path"] for patch in kustomization.get("patches", ()) if "path" in patch}
    there = {path.name for path in folder.iterdir() if path.suffix in (".yaml", ".env")}
    # The cases that prove the rules stay in the repository: a pod never reads them.
    there = {name for name in there if not name.endswith(CASES)}

    assert named == there - {file.name}, f"list in {file.relative_to(REPOSITORY)} what is beside it"


@pytest.mark.parametrize("folder", OVERLAYS, ids=by_name)
def test_an_overlay_is_valid_for_kubernetes(folder: Path, tmp_path: Path) -> None:
    built = tmp_path / "built.yaml"
    with built.open("w") as file:
        YAML(typ="safe").dump_all(build(folder), file)

    assert validator.faults(built) == ""


def test_a_misspelt_field_is_not_valid(tmp_path: Path) -> None:
    manifests = build(OVERLAYS[0])
    of_kind(manifests, "StatefulSet")["spec"]["podManagmentPolicy"] = "Parallel"
    built = tmp_path / "built.yaml"
    with built.open("w") as file:
        YAML(typ="safe").dump_all(manifests, file)

    assert "podManagmentPolicy" in validator.faults(built)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl to compare with")
@pytest.mark.parametrize("folder", OVERLAYS, ids=by_name)
def test_kubectl_builds_the_same(folder: Path, tmp_path: Path) -> None:
    printed = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True
    ).stdout
    theirs = list(YAML(typ="safe").load_all(printed))

    assert in_order(without_suffixes(theirs)) == in_order(build(folder))


def without_suffixes(manifests: list[Manifest]) -> list[Manifest]:
    """Take the hash suffixes of generated ConfigMaps out of their names and what names them."""
    suffixed = [m["metadata"]["name"] for m in manifests if m["kind"] == "ConfigMap"]
    plain = {name: name.rpartition("-")[0] for name in suffixed}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [renamed(entry) for entry in value]
        return plain.get(value, value) if isinstance(value, str) else value

    return [renamed(manifest) for manifest in manifests]


def in_order(manifests: list[Manifest]) -> list[Manifest]:
    """By kind and name, as neither builder promises an order."""
    return sorted(manifests, key=lambda m: (m["kind"], m["metadata"]["name"]))


def test_every_setting_of_a_pod_exists(overlay: list[Manifest]) -> None:
    known = {variable(name) for name in fields()}
    [container] = worker_of(overlay)["containers"]
    given = {entry["name"] for entry in container["env"]}
    for source in container["envFrom"]:
        given |= of_kind(overlay, "ConfigMap", source["configMapRef"]["name"])["data"].keys()

    assert given <= known


def test_secrets_are_files_of_the_mounted_secret(overlay: list[Manifest]) -> None:
    settings = of_kind(overlay, "ConfigMap", "dovetail-settings")["data"]
    files = {name: value for name, value in settings.items() if name.endswith("_FILE")}
    plain = [name for name in settings if name.endswith(("_SECRET", "_PASSWORD"))]

    assert files
    assert all(value.startswith("/etc/dovetail/secrets/") for value in files.values())
    assert plain == []


def test_the_rules_of_the_repository_are_the_rules_of_the_pod(overlay: list[Manifest]) -> None:
    rules = of_kind(overlay, "ConfigMap", "dovetail-rules")["data"]

    files = [path for path in RULES.glob("*.yaml") if not path.name.endswith(CASES)]
    assert rules == {path.name: path.read_text() for path in files}


def test_every_volume_that_is_mounted_exists_and_the_data_is_writable(
    overlay: list[Manifest],
) -> None:
    pod = worker_of(overlay)
    [container] = pod["containers"]
    claims = of_kind(overlay, "StatefulSet")["spec"]["volumeClaimTemplates"]
    volumes = {v["name"] for v in pod["volumes"]} | {c["metadata"]["name"] for c in claims}
    mounts = {m["mountPath"]: m for m in container["volumeMounts"]}
    settings = of_kind(overlay, "ConfigMap", "dovetail-settings")["data"]

    assert {mount["name"] for mount in mounts.values()} <= volumes
    assert "readOnly" not in mounts[settings["DOVETAIL_DATA_DIRECTORY"]]
    assert mounts[settings["DOVETAIL_DATA_DIRECTORY"]]["name"] == claims[0]["metadata"]["name"]
    assert mounts[settings["DOVETAIL_RULES_DIRECTORY"]]["readOnly"] is True


def test_a_pod_keeps_its_place_in_the_group_over_a_restart(overlay: list[Manifest]) -> None:
    stateful_set = of_kind(overlay, "StatefulSet")["spec"]
    [container] = worker_of(overlay)["containers"]
    instance = {entry["name"]: entry for entry in container["env"]}["DOVETAIL_INSTANCE_ID"]
    settings = of_kind(overlay, "ConfigMap", "dovetail-settings")["data"]
    grace = worker_of(overlay)["terminationGracePeriodSeconds"]

    assert instance["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert stateful_set["podManagementPolicy"] == "Parallel"
    assert float(settings["DOVETAIL_SESSION_TIMEOUT_SECONDS"]) >= grace


def test_the_probes_ask_the_pages_of_the_worker(overlay: list[Manifest]) -> None:
    [container] = worker_of(overlay)["containers"]
    asked = {
        kind: container[kind]["httpGet"]["path"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    [port] = container["ports"]
    startup = container["startupProbe"]
    settings = of_kind(overlay, "ConfigMap", "dovetail-settings")["data"]

    assert asked == {
        "startupProbe": "/readyz",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert port == {"name": "http-metrics", "containerPort": int(settings["DOVETAIL_HTTP_PORT"])}
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 1800


def test_a_pod_runs_under_the_restricted_pod_security_standard(overlay: list[Manifest]) -> None:
    pod = worker_of(overlay)
    [container] = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_overlays_differ_where_they_say() -> None:
    dev, production = (build(REPOSITORY / "k8s" / "overlays" / n) for n in ("dev", "production"))
    replicas = [of_kind(each, "StatefulSet")["spec"]["replicas"] for each in (dev, production)]
    zones = worker_of(production)["topologySpreadConstraints"][0]

    assert replicas == [1, 3]
    assert zones["whenUnsatisfiable"] == "DoNotSchedule"
    assert of_kind(dev, "Service")["metadata"]["namespace"] == "dovetail-dev"
    assert of_kind(production, "Service")["metadata"]["namespace"] == "dovetail"
