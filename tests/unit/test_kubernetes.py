"""The sidecar manifest and the Helm chart: right by Kubernetes' schemas, restricted, draining in the right order."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml

import veneer as veneer_package
from tests.support.charts import CHART, MANIFEST, Document, default_values, documents, problems, rendered
from tests.support.dockerfile import final_stage, parse_dockerfile
from veneer.policy.load import parse_policy
from veneer.policy.model import Policy
from veneer.policy.sources import Sources

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "deploy.md"
APP = {"name": "app", "image": "app:1", "lifecycle": {"preStop": {"sleep": {"seconds": 32}}}}
VALUES: dict[str, dict[str, object]] = {
    "as it is": {},
    "everything": {
        "replicas": 3,
        "workers": 2,
        "containers": [APP],
        "upstream": 'http://127.0.0.1:8000/"x"',
        "imagePullSecrets": [{"name": "pull"}],
        "secretName": "shop-secrets",
        "env": [{"name": "OTEL_SERVICE_NAME", "value": "shop"}],
        "service": {"type": "LoadBalancer", "port": 443},
        "scrape": False,
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
    },
}


@pytest.fixture(params=["manifest", *VALUES])
def found(request: pytest.FixtureRequest) -> dict[str, Document]:
    """The resources, however they are made."""
    name = str(request.param)
    return documents(MANIFEST.read_text("utf-8")) if name == "manifest" else rendered(VALUES[name])


def pod(found: Mapping[str, Document]) -> Document:
    spec: Document = found["Deployment"]["spec"]["template"]["spec"]
    return spec


def veneer(found: Mapping[str, Document]) -> Document:
    (container,) = (one for one in pod(found)["containers"] if one["name"] == "veneer")
    assert isinstance(container, dict)
    return container


def policy(found: Mapping[str, Document]) -> Policy:
    """The policy in the ConfigMap, its secrets read from the Secret."""
    secrets = found.get("Secret", {}).get("stringData", {})

    class Mounted(Sources):
        def secret(self, name: str) -> str:
            return str(secrets[Path(name).name])

    return parse_policy(found["ConfigMap"]["data"]["policies.yaml"], "policies.yaml", sources=Mounted(Path()))


def test_every_resource_is_right_by_the_schemas_of_kubernetes(found: dict[str, Document]) -> None:
    assert {"ConfigMap", "Deployment", "Service"} <= set(found)
    assert [problem for document in found.values() for problem in problems(document)] == []


def test_a_misspelt_key_is_found(found: dict[str, Document]) -> None:
    wrong = copy.deepcopy(found["Deployment"])
    wrong["spec"]["template"]["spec"]["containers"][-1]["readinesProbe"] = {}
    assert problems(wrong)


def test_every_container_is_restricted(found: dict[str, Document]) -> None:
    """As the Pod Security Standard `restricted` asks, and a root that is read-only."""
    spec = pod(found)
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert spec["automountServiceAccountToken"] is False
    ours = [one for one in spec["containers"] if one != APP]
    assert ours
    for container in ours:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_probes_ask_the_listener_that_needs_no_token(found: dict[str, Document]) -> None:
    container = veneer(found)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert told["VENEER_PROBES"] == f"0.0.0.0:{ports['probes']}"
    asked = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {one["port"] for one in asked.values()} == {"probes"}
    assert [one["path"] for one in asked.values()] == ["/health", "/health", "/ready"]
    annotations = found["Deployment"]["spec"]["template"]["metadata"].get("annotations")
    assert annotations in (None, {"prometheus.io/scrape": "true", "prometheus.io/port": str(ports["probes"])})


def test_clients_reach_the_port_that_the_image_listens_on(found: dict[str, Document]) -> None:
    instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / "Dockerfile.proxy"))}
    image = dict(word.split("=", 1) for word in instructions["ENV"].words())
    ports = {port["name"]: port["containerPort"] for port in veneer(found)["ports"]}
    assert image["VENEER_LISTEN"] == f"0.0.0.0:{ports['http']}"
    assert [port["targetPort"] for port in found["Service"]["spec"]["ports"]] == ["http"]
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    assert found["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    mounts = {mount["name"]: mount["mountPath"] for mount in veneer(found)["volumeMounts"]}
    assert image["VENEER_POLICIES"] == f"{mounts['policy']}/policies.yaml"


def test_the_service_outlives_the_drain_and_the_pod_outlives_both(found: dict[str, Document]) -> None:
    timeouts = policy(found).timeouts
    drains_s = timeouts.drain_delay_s + timeouts.drain_s
    assert timeouts.drain_delay_s >= 2 * veneer(found)["readinessProbe"]["periodSeconds"]
    assert "lifecycle" not in veneer(found)
    for container in pod(found)["containers"]:
        if container["name"] != "veneer":
            assert container["lifecycle"]["preStop"]["sleep"]["seconds"] > drains_s
    assert pod(found)["terminationGracePeriodSeconds"] > drains_s + 10


def token_file(found: Mapping[str, Document]) -> str | None:
    """Where commands in the container look for the token."""
    return {one["name"]: one.get("value") for one in veneer(found)["env"]}.get("VENEER_ADMIN_TOKEN_FILE")


def test_commands_in_the_container_know_the_token_that_is_asked_for(found: dict[str, Document]) -> None:
    assert policy(found).admin.token_file == token_file(found)


def test_secrets_are_files_where_the_policy_looks_for_them(found: dict[str, Document]) -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in veneer(found)["volumeMounts"]}
    for path in re.findall(r"file: (\S+?)[}\s]", found["ConfigMap"]["data"]["policies.yaml"]):
        assert path.startswith(f"{mounts['secrets']}/")
        assert Path(path).name in found["Secret"]["stringData"]


def test_the_log_names_the_pod(found: dict[str, Document]) -> None:
    (node,) = (one for one in veneer(found)["env"] if one["name"] == "VENEER_NODE")
    assert node["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_every_variable_of_ours_is_one_that_the_product_reads(found: dict[str, Document]) -> None:
    text = "".join(path.read_text("utf-8") for path in Path(veneer_package.__file__).parent.rglob("*.py"))
    for one in veneer(found)["env"]:
        if one["name"].startswith("VENEER_"):
            assert f'"{one["name"]}"' in text, one


def test_the_manifest_and_the_chart_start_the_proxy_alike() -> None:
    ours, charts = veneer(documents(MANIFEST.read_text("utf-8"))), veneer(rendered(VALUES["as it is"]))
    for key in ("ports", "startupProbe", "readinessProbe", "livenessProbe", "securityContext", "resources"):
        assert ours[key] == charts[key], key


class TestChart:
    def test_values_reach_what_they_are_for(self) -> None:
        found = rendered(VALUES["everything"])
        container = veneer(found)
        told = {one["name"]: one.get("value") for one in container["env"]}
        assert told["VENEER_UPSTREAM"] == 'http://127.0.0.1:8000/"x"'
        assert told["VENEER_WORKERS"] == "2"
        assert told["OTEL_SERVICE_NAME"] == "shop"
        assert [one["name"] for one in pod(found)["containers"]] == ["app", "veneer"]
        assert pod(found)["volumes"][-1] == {"name": "secrets", "secret": {"secretName": "shop-secrets"}}
        assert found["Service"]["spec"]["type"] == "LoadBalancer"
        assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
        for key in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "imagePullSecrets"):
            assert pod(found)[key] == VALUES["everything"][key]

    def test_one_pod_has_no_budget_for_disruptions(self) -> None:
        assert "PodDisruptionBudget" not in rendered(VALUES["as it is"])

    def test_the_policy_is_written_as_it_was_given(self) -> None:
        given = {"version": 1, "routes": [{"name": "all", "match": {"path": "/{rest:path}"}, "cache": {"ttl": "5m"}}]}
        text = rendered({"policy": given})["ConfigMap"]["data"]["policies.yaml"]
        assert yaml.safe_load(text) == given
        assert parse_policy(text, "policies.yaml").routes[0].name == "all"

    @pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
    def test_values_are_right_by_the_charts_schema(self, values: dict[str, object]) -> None:
        jsonschema.validate(default_values() | values, schema())

    @pytest.mark.parametrize(
        "wrong", [{"replica": 2}, {"workers": 0}, {"upstream": "shop:80"}, {"service": {"prot": 80}}, {"policy": {}}]
    )
    def test_values_that_are_wrong_are_refused(self, wrong: dict[str, object]) -> None:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(default_values() | wrong, schema())

    def test_the_example_in_the_docs_is_right(self) -> None:
        (text,) = re.findall(r"```yaml\n# shop.yaml.*?\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
        values = yaml.safe_load(text)
        jsonschema.validate(default_values() | values, schema())
        found = rendered(values)
        assert [problem for document in found.values() for problem in problems(document)] == []
        told = {"redis-url": "redis://redis", "admin-token": "of-sixteen-characters"}
        example = policy({**found, "Secret": {"stringData": told}})
        assert example.stores.redis_url == "redis://redis"
        assert (example.admin.token, example.admin.token_file) == ("of-sixteen-characters", token_file(found))

    def test_every_value_is_in_the_schema(self) -> None:
        properties = schema()["properties"]
        assert isinstance(properties, dict)
        assert set(properties) - {"global"} == set(default_values())


def schema() -> dict[str, object]:
    return msgspec.json.decode((CHART / "values.schema.json").read_bytes(), type=dict[str, object])
