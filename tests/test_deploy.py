"""deploy/: files parse, the command line accepts the commands, metrics and paths exist, programs accept the rest."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import PurePosixPath

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector
from support.paths import ROOT
from support.rows import each_row

from sevendigital_async.cli.app import command as parser
from sevendigital_async.monitoring.http_endpoint import HttpAddress
from sevendigital_async.monitoring.ingestion import METRICS, PREFIX
from sevendigital_async.sandbox import DEMO_KEY, DEMO_SECRET
from sevendigital_async.shipping.prometheus import PrometheusMetrics

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "sevendigital-ship.service"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
PATHS = {"/healthz", "/readyz", "/metrics", "/statistics"}

PROMTOOL, SYSTEMD_ANALYZE = shutil.which("promtool"), shutil.which("systemd-analyze")


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def unit():
    """Return the settings of the systemd unit, each with its values in order."""
    settings = {}
    for line in UNIT.read_text().replace("\\\n", " ").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            settings.setdefault(name, []).append(value)
    return settings


def compose():
    [document] = documents(DEPLOY / "compose.yaml")
    return document


def workloads():
    return [each for path in MANIFESTS for each in documents(path) if each["kind"] in {"StatefulSet", "Deployment"}]


def container_of(workload):
    [container] = workload["spec"]["template"]["spec"]["containers"]
    return container


def commands():
    """Return the name and the arguments of every command that is started."""
    [line] = unit()["ExecStart"]
    program, *arguments = shlex.split(line)
    assert PurePosixPath(program).name == "sevendigital"
    yield "systemd", arguments
    for name, service in compose()["services"].items():
        if service["image"] == "sevendigital-ship":
            yield f"compose {name}", service["command"]
    for workload in workloads():
        yield f"kubernetes {workload['kind']}", container_of(workload)["args"]


COMMANDS = dict(commands())
SHIPS = {name: arguments for name, arguments in COMMANDS.items() if arguments[0] == "ship"}


def parsed(arguments):
    """Return the values that the command line reads from arguments, without running anything."""
    name, *rest = arguments
    with parser.make_context("sevendigital", list(arguments)) as context:
        found = parser.get_command(context, name)
        try:
            with found.make_context(name, rest, parent=context) as inner:
                return inner.params
        except Exception as error:
            if not hasattr(error, "format_message"):  # the class of such errors is not public
                raise
            pytest.fail(error.format_message())


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_the_command_line_accepts_every_command(arguments):
    assert parsed(arguments)


def option(arguments, name):
    words = [word for argument in arguments for word in argument.split("=", 1 if argument.startswith("--") else 0)]
    return words[words.index(name) + 1] if name in words else None


@pytest.mark.parametrize("arguments", SHIPS.values(), ids=SHIPS)
def test_every_worker_is_watched_and_keeps_its_plays(arguments):
    address = HttpAddress.parse(option(arguments, "--http"))
    assert address.port == 9464
    assert option(arguments, "--spool") not in {None, "memory"}
    assert option(arguments, "--rejected") or option(arguments, "--dead-letter-topic")
    assert float(option(arguments, "--stalled-after")) >= 300
    source = parsed(arguments)["files"][0]
    assert "--follow" in arguments or source.startswith("kafka://")


def seconds(text):
    number, unit_ = re.fullmatch(r"(\d+)(s|min)?", str(text)).groups()
    return int(number) * (60 if unit_ == "min" else 1)


def test_every_worker_has_time_to_drain():
    graces = {
        "systemd": unit()["TimeoutStopSec"][0],
        "compose worker": compose()["services"]["worker"]["stop_grace_period"],
    }
    for workload in workloads():
        grace = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        graces[f"kubernetes {workload['kind']}"] = grace
    assert graces.keys() == SHIPS.keys()
    for name, grace in graces.items():
        assert seconds(grace) >= seconds(option(SHIPS[name], "--drain")) + 20


# -- the image and compose --


def test_the_image_is_small_and_does_not_run_as_root():
    text = (DEPLOY / "Dockerfile").read_text()
    last_stage = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last_stage, re.MULTILINE)
    assert re.search(r"^FROM python:3\.\d+-slim$", last_stage, re.MULTILINE)
    assert "--from=build" in last_stage
    assert re.search(r"http://127\.0\.0\.1:9464(/\w+)", last_stage)[1] in PATHS
    [extras] = re.findall(r"/source\[([\w,]+)\]", text)
    assert {"cli", "follow", "kafka", "prometheus", "redis"} <= set(extras.split(","))
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())
    kept = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert all((ROOT / name).exists() for name in kept)


def test_images_come_from_nowhere_unusual():
    named = re.findall(r"(?:^FROM|image:) (\S+)", "".join(_texts()), re.MULTILINE)
    names = {name.partition(":")[0] for name in named}
    assert names == {"python", "redis", "prom/prometheus", "grafana/grafana", "sevendigital-ship"}


def _texts():
    return [path.read_text() for path in sorted(DEPLOY.rglob("*")) if path.is_file()]


def test_compose_mounts_what_exists_and_knows_its_services():
    document = compose()
    services, volumes = document["services"], set(document["volumes"])
    assert {"sandbox", "worker", "redis", "prometheus", "grafana"} == services.keys()
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        assert service.get("network_mode", "service:sandbox").removeprefix("service:") in services
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in volumes
    environment = services["worker"]["environment"]
    assert environment["SEVENDIGITAL_CONSUMER_KEY"] == DEMO_KEY
    assert environment["SEVENDIGITAL_CONSUMER_SECRET"] == DEMO_SECRET
    assert environment["SEVENDIGITAL_BASE_URL"].endswith(":" + option(services["sandbox"]["command"], "--port"))


# -- Kubernetes --


@pytest.mark.parametrize("workload", workloads(), ids=lambda workload: workload["kind"])
def test_pods_are_hardened_and_probed(workload):
    spec, template = workload["spec"], workload["spec"]["template"]
    pod, container = template["spec"], container_of(workload)
    assert workload["apiVersion"] == "apps/v1"
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())]
    volumes = {*claims, *(volume["name"] for volume in pod["volumes"])}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert list(ports.values()) == [HttpAddress.parse(option(container["args"], "--http")).port]
    for probe, path in (("startupProbe", "/readyz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(ports["http"])


def test_the_volume_of_a_statefulset_holds_the_spool_and_outlives_the_pod():
    [workload] = [each for each in workloads() if each["kind"] == "StatefulSet"]
    [claim] = workload["spec"]["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container_of(workload)["volumeMounts"]}
    place = PurePosixPath(mounts[claim["metadata"]["name"]])
    for name in ("--spool", "--rejected"):
        assert place in PurePosixPath(option(container_of(workload)["args"], name)).parents
    assert set(workload["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
    [service] = [each for path in MANIFESTS for each in documents(path) if each["kind"] == "Service"]
    assert service["metadata"]["name"] == workload["spec"]["serviceName"]
    assert service["spec"]["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()


# -- metrics --


def metrics_that_exist():
    registry = CollectorRegistry()
    PrometheusMetrics(registry)
    ProcessCollector(registry=registry)
    names = {"up"}
    names |= {f"{PREFIX}_{figure.name}{'_total' if figure.is_counter else ''}" for figure in METRICS}
    for family in registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        names |= {family.name + suffix for suffix in suffixes}
    return names


def metrics_in(expression):
    return set(re.findall(r"\b(?:sevendigital|process)_\w+|\bup\b", expression))


def rules():
    [document] = documents(RULES)
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


EXPRESSIONS = [
    *(pytest.param(rule["expr"], id=rule["alert"]) for rule in rules()),
    *(pytest.param(target["expr"], id=panel["title"]) for panel in panels() for target in panel["targets"]),
]


@each_row("expression", EXPRESSIONS)
def test_the_metrics_of_rules_and_panels_exist(expression):
    assert metrics_in(expression)
    assert metrics_in(expression) <= metrics_that_exist()


def test_rules_and_dashboard_use_every_metric_of_the_shipper():
    ours = {name for name in metrics_that_exist() if name.startswith("sevendigital_")}
    used = set().union(*(metrics_in(panel.values[0]) for panel in EXPRESSIONS))
    for name in ours - used:
        assert name.endswith(("_sum", "_count")), name


def test_panels_have_ids_and_places_of_their_own():
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells


def test_prometheus_scrapes_the_worker_under_the_name_that_the_rules_use():
    [document] = documents(DEPLOY / "prometheus" / "prometheus.yml")
    [job] = document["scrape_configs"]
    used = re.findall(r'job="([\w-]+)"', RULES.read_text() + DASHBOARD.read_text().replace('\\"', '"'))
    assert set(used) == {job["job_name"]}
    [target] = job["static_configs"][0]["targets"]
    assert HttpAddress.parse(target).port == 9464


# -- checked by programs --


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_accepts_rules_and_configuration(arguments):
    ran = subprocess.run([PROMTOOL, *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(tmp_path):
    program = tmp_path / "sevendigital"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/sevendigital/bin/sevendigital", str(program)))
    ran = subprocess.run([SYSTEMD_ANALYZE, "verify", "--man=no", copy], capture_output=True, text=True, check=False)
    assert (ran.returncode, [line for line in ran.stderr.splitlines() if UNIT.name in line]) == (0, [])


def test_the_unit_is_a_notifying_service_with_a_directory_of_its_own():
    settings = unit()
    [line] = settings["ExecStart"]
    assert settings["Type"] == ["notify"]
    assert int(settings["WatchdogSec"][0]) > 0
    assert settings["StateDirectory"] == ["sevendigital"]
    assert line.count("${STATE_DIRECTORY}/") == 2
    assert settings["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    for hardening in ("NoNewPrivileges", "DynamicUser", "ProtectHome", "PrivateDevices", "MemoryDenyWriteExecute"):
        assert settings[hardening] == ["yes"]
    assert settings["ProtectSystem"] == ["strict"]
    assert UNIT.name in (DEPLOY / "systemd" / "sevendigital-ship.logrotate").read_text()
