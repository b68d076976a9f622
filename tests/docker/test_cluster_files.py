"""What can be said of the files that start a cluster without starting one."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DOCKER = Path(__file__).resolve().parents[2] / "docker"
yaml = pytest.importorskip("yaml", reason="PyYAML, which Ray brings, is not installed: `make cluster`")

COMPOSE = yaml.safe_load((DOCKER / "compose.ray.yaml").read_text(encoding="utf-8"))
CLUSTER, JOB, POLICY = yaml.safe_load_all((DOCKER / "ray-cluster.yaml").read_text(encoding="utf-8"))
HEAD, WORKERS = CLUSTER["spec"]["headGroupSpec"], CLUSTER["spec"]["workerGroupSpecs"][0]
SERVER = "photos-head-svc:6379"  # as KubeRay calls the service of a cluster's head


def pods() -> list[dict[str, Any]]:
    return [spec["template"]["spec"] for spec in (HEAD, WORKERS, JOB["spec"])]


def test_no_port_of_a_node_is_open_to_the_outside() -> None:
    assert all("ports" not in service and "network_mode" not in service for service in COMPOSE["services"].values())
    assert all(
        "ports" not in container and "hostPort" not in str(container)
        for pod in pods()
        for container in pod["containers"]
    )
    assert not any(pod.get("hostNetwork") for pod in pods())
    assert POLICY["spec"]["podSelector"]["matchLabels"] == {"ray.io/cluster": CLUSTER["metadata"]["name"]}


def test_there_is_no_dashboard() -> None:
    assert "--include-dashboard=false" in COMPOSE["services"]["head"]["command"]
    assert HEAD["rayStartParams"]["include-dashboard"] == "false"


def test_every_node_has_the_token() -> None:
    for service in COMPOSE["services"].values():
        assert service["environment"]["RAY_AUTH_MODE"] == "token" and service["secrets"] == ["ray_token"]
        assert service["environment"]["RAY_AUTH_TOKEN_PATH"] == "/run/secrets/ray_token"
    assert CLUSTER["spec"]["authOptions"] == {"mode": "token"}
    (container,) = JOB["spec"]["template"]["spec"]["containers"]
    by_name = {variable["name"]: variable for variable in container["env"]}
    assert by_name["RAY_AUTH_MODE"]["value"] == "token"
    key = by_name["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert key == {"name": CLUSTER["metadata"]["name"], "key": "auth_token"}


def test_nodes_may_do_as_little_as_the_other_containers() -> None:
    for service in COMPOSE["services"].values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["user"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            confined = container["securityContext"]
            assert confined == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_kubernetes_is_told_the_version_of_ray_that_is_locked() -> None:
    locked = re.search(r"^ray==([0-9.]+)", (DOCKER / "cluster.lock").read_text(encoding="utf-8"), re.M)
    assert locked and CLUSTER["spec"]["rayVersion"] == locked[1]


def test_a_shared_path_is_the_same_everywhere() -> None:
    assert len({tuple(service["volumes"]) for service in COMPOSE["services"].values()}) == 1
    assert len({str(container["volumeMounts"]) for pod in pods() for container in pod["containers"]}) == 1


def test_the_job_joins_the_cluster_and_computes_nothing_itself() -> None:
    (container,) = JOB["spec"]["template"]["spec"]["containers"]
    wait, start, run = container["args"][0].replace("\\\n", " ").strip().splitlines()
    assert f"--address {SERVER}" in wait and f"--address={SERVER} --num-cpus=0 " in start
    assert f"--executor ray --ray_address {SERVER}" in run.partition("#")[0]


def test_ray_knows_the_options_that_it_is_started_with() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: `make cluster`")
    said = subprocess.run([Path(sys.executable).with_name("ray"), "start", "--help"], capture_output=True, text=True)
    known = set(re.findall(r"--[a-z-]+", said.stdout))
    used = {option for service in COMPOSE["services"].values() for option in service["command"][2:]}
    used |= {f"--{option}" for group in (HEAD, WORKERS) for option in group["rayStartParams"]}
    used |= {
        word
        for word in shlex.split(JOB["spec"]["template"]["spec"]["containers"][0]["args"][0].splitlines()[1])
        if word.startswith("--")
    }
    names = {option.partition("=")[0] for option in used}
    assert {"--head", "--address", "--num-cpus", "--block"} <= names
    assert names <= known


def test_the_image_starts_ray_where_it_has_it(tmp_path: Path) -> None:
    script = ["sh", str(DOCKER / "entrypoint.sh"), "ray", "start", "--block"]
    bare = {"PATH": str(tmp_path)}
    (tmp_path / "sh").symlink_to("/bin/sh")
    lacking = subprocess.run(script, capture_output=True, text=True, env=bare, executable="/bin/sh")
    assert lacking.returncode == 2 and "CLUSTER=yes" in lacking.stderr
    (tmp_path / "ray").write_text('#!/bin/sh\necho "$RAY_USAGE_STATS_ENABLED $*"\n')
    (tmp_path / "ray").chmod(0o755)
    there = subprocess.run(script, capture_output=True, text=True, env=bare, executable="/bin/sh")
    assert there.stdout == "0 start --block\n"
