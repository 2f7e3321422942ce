"""As much of kustomize as k8s/ uses, so that its overlays can be tested where no kubectl is.

Resources from files and folders, ConfigMap generators with `behavior: merge`, strategic merge and
JSON 6902 patches, labels, images, namespace. Not the hash suffixes of generated names. Where
kubectl is, a test compares the two (test_kustomizations.py).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Manifest = dict[str, Any]

FILE_NAMES = ("kustomization.yaml", "Kustomization")
# Lists that Kubernetes merges by a key; every other list is replaced whole.
LIST_KEYS = {"containers": "name", "env": "name", "volumes": "name", "ports": "containerPort"}
CLUSTER_WIDE = {"Namespace"}


def load(path: Path) -> list[Manifest]:
    """The documents of a YAML file."""
    return [document for document in YAML(typ="safe").load_all(path) if document is not None]


def kustomization_of(folder: Path) -> Path:
    """The kustomization file of a folder; raises FileNotFoundError when it has none."""
    for name in FILE_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder} has none of {', '.join(FILE_NAMES)}")


def build(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize FOLDER` prints, up to order and the suffixes of generated names."""
    [kustomization] = load(kustomization_of(folder))
    manifests: list[Manifest] = []
    for name in kustomization.get("resources", ()):
        source = folder / name
        manifests += build(source) if source.is_dir() else load(source)
    for generator in kustomization.get("configMapGenerator", ()):
        _generate(manifests, generator, folder)
    for patch in kustomization.get("patches", ()):
        _patch(manifests, patch, folder)
    for manifest in manifests:
        _transform(manifest, kustomization)
    return manifests


def of_kind(manifests: Iterable[Manifest], kind: str, name: str = "dovetail") -> Manifest:
    """The one manifest of that kind and name."""
    [found] = [m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name]
    return found


def _generate(manifests: list[Manifest], generator: Manifest, folder: Path) -> None:
    data = {name: (folder / name).read_text() for name in generator.get("files", ())}
    for name in generator.get("envs", ()):
        data |= dict(_environment((folder / name).read_text()))
    if generator.get("behavior") == "merge":
        of_kind(manifests, "ConfigMap", generator["name"])["data"] |= data
        return
    metadata = {"name": generator["name"]}
    manifests.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _environment(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name, value


def _patch(manifests: list[Manifest], patch: Manifest, folder: Path) -> None:
    if "path" in patch:
        for change in load(folder / patch["path"]):
            target = of_kind(manifests, change["kind"], change["metadata"]["name"])
            merged = _merged(target, change)
            target.clear()
            target.update(merged)
        return
    target = of_kind(manifests, patch["target"]["kind"], patch["target"]["name"])
    for operation in YAML(typ="safe").load(patch["patch"]):
        _operate(target, operation)


def _merged(old: Any, new: Any, field: str = "") -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        both = {k: _merged(old[k], new[k], k) for k in old.keys() & new.keys()}
        return {**old, **new, **both}
    if isinstance(old, list) and field in LIST_KEYS:
        key = LIST_KEYS[field]
        entries = {entry[key]: entry for entry in old}
        for entry in new:
            entries[entry[key]] = _merged(entries.get(entry[key], {}), entry)
        return list(entries.values())
    return copy.deepcopy(new)


def _operate(manifest: Manifest, operation: Manifest) -> None:
    *path, last = operation["path"].lstrip("/").split("/")
    place: Any = manifest
    for step in path:
        place = place[_index(place, step)]
    at = _index(place, last)
    if operation["op"] == "test" and place[at] != operation["value"]:
        raise AssertionError(f"{operation['path']} is {place[at]!r}, not {operation['value']!r}")
    if operation["op"] == "replace":
        place[at] = operation["value"]


def _index(place: Any, step: str) -> Any:
    return int(step) if isinstance(place, list) else step


def _transform(manifest: Manifest, kustomization: Manifest) -> None:
    for labels in kustomization.get("labels", ()):
        for place in _label_places(manifest):
            place.update(labels["pairs"])
    for image in kustomization.get("images", ()):
        for container in _containers(manifest):
            if container["image"] == image["name"]:
                container["image"] = f"{image['name']}:{image['newTag']}"
    if "namespace" in kustomization and manifest["kind"] not in CLUSTER_WIDE:
        manifest["metadata"]["namespace"] = kustomization["namespace"]


def _label_places(manifest: Manifest) -> Iterable[Manifest]:
    yield manifest["metadata"].setdefault("labels", {})
    spec = manifest.get("spec", {})
    if manifest["kind"] == "Service":
        yield spec["selector"]
    elif manifest["kind"] == "PodDisruptionBudget":
        yield spec["selector"]["matchLabels"]
    elif manifest["kind"] == "StatefulSet":
        yield spec["selector"]["matchLabels"]
        yield spec["template"]["metadata"]["labels"]
        for constraint in spec["template"]["spec"]["topologySpreadConstraints"]:
            yield constraint["labelSelector"]["matchLabels"]
        for claim in spec["volumeClaimTemplates"]:
            yield claim["metadata"].setdefault("labels", {})


def _containers(manifest: Manifest) -> list[Manifest]:
    template = manifest.get("spec", {}).get("template", {})
    containers: list[Manifest] = template.get("spec", {}).get("containers", [])
    return containers
