"""Generates files: OpenAPI documents, docs/configuration.md, the list of decisions, the alerts for Kubernetes, the
permissions of the broker's users, and copies of the version."""

import json
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from installation import broker_rights
from installation.secret_values import NAMES, encryption_keys
from installation.service_catalog import SERVICES
from local.layout import Layout
from local.paths import ROOT
from local.ports import DEFAULTS
from local.programs import notification_worker, service_environment
from tools import version as versions

PLACEHOLDER = "only-for-generating-documents-from-the-code-and-for-checks"  # instead of a secret

# Prints the environment variables that a service reads, as JSON.
_LIST_VARIABLES = """
import json, sys
from chassis.operations import gunicorn, metrics, tracing
from {service}_ms import settings
if "{service}" == "notification":
    from notification_ms import celery
def default_of(value):
    if value is gunicorn.REQUIRED:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
listed = [v for module in (settings, gunicorn, metrics, tracing) for v in module.environment.variables]
print(json.dumps([
    [v.name, v.kind, default_of(v.default), v.meaning] for v in listed
]))
"""


def run(*, check: bool) -> None:
    """Writes the documents; with `check`, exits when one of them is out of date."""
    documents = {f"docs/openapi/{prefix}.yaml": _openapi(service) for service, prefix in SERVICES.items()}
    documents["docs/configuration.md"] = _configuration()
    documents["kustomize/components/monitoring/prometheus-rule.yaml"] = _prometheus_rule()
    documents["docs/decisions/README.md"] = _decisions()
    documents["broker/rights.json"] = broker_rights.generate()
    documents |= versions.copies()
    for service in SERVICES if check else ():
        _python(service, "manage.py", "makemigrations", "--check", "--dry-run")
        _python(service, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    stale = []
    for name, text in documents.items():
        path = ROOT / name
        if check and (not path.exists() or path.read_text() != text):
            stale.append(name)
        if not check:
            path.write_text(text)
            print(f"wrote {name}")
    if stale:
        sys.exit(f"Out of date: {', '.join(stale)}. To update them: make generate")


def change_version(*, version: str) -> None:
    """Writes a new version to VERSION and its copies. Raises RuntimeError when it is not a version."""
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", version):
        raise RuntimeError(f"A version is three numbers, such as 0.2.0 or 0.2.0-rc.1; got {version!r}.")
    versions.FILE.write_text(f"{version}\n")
    run(check=False)


def _openapi(service: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "openapi.yaml"
        _python(service, "manage.py", "spectacular", "--file", str(file), "--validate", "--fail-on-warn")
        return file.read_text()


def _configuration() -> str:
    readers: dict[tuple[str, str, str | None, str], list[str]] = {}
    for service, prefix in SERVICES.items():
        for name, kind, default, meaning in json.loads(_python(service, "-c", _LIST_VARIABLES.format(service=service))):
            readers.setdefault((name, kind, default, meaning), []).append(prefix)
    rows = [
        f"| `{name}` | {', '.join(services) if len(services) < len(SERVICES) else 'all'} | {kind} | "
        f"{'**required**' if default is None else f'`{default}`'} | {meaning} |"
        for (name, kind, default, meaning), services in sorted(readers.items(), key=str)
    ]
    return "\n".join(
        [
            "# Configuration",
            "",
            "Every environment variable that the services read, generated from the code by `make generate`. A service",
            "does not start without a required one and names the missing one. `NAME_FILE` may name a file with",
            "the value of `NAME`.",
            "",
            "| variable | read by | kind | default | meaning |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _decisions() -> str:
    """The list of all decisions, by their first lines."""
    rows = []
    for path in sorted((ROOT / "docs" / "decisions").glob("2*.md")):
        title = path.read_text().partition("\n")[0].removeprefix("# ")
        rows.append(f"| {path.name[:4]}-{path.name[4:6]}-{path.name[6:8]} | [{title}]({path.name}) |\n")
    return f"""# Decisions

Surprising choices, each with its context, options, outcome and consequences. A new decision is a file
`<yyyymmdd>-<title>.md` in this folder; `make generate` adds it to this list. A superseded decision names its successor.

| | |
|---|---|
{"".join(rows)}"""


def _prometheus_rule() -> str:
    """The alerts as a PrometheusRule for the Prometheus operator."""
    groups = (ROOT / "observability" / "rules.yml").read_text().partition("groups:\n")[2]
    return f"""# Generated from observability/rules.yml by `make generate`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tessera
spec:
  groups:
{textwrap.indent(groups, "  ")}"""


def _python(service: str, *arguments: str) -> str:
    """The output of Python with the service's environment variables; needs no database or other server."""
    layout = Layout(ROOT, DEFAULTS, dict.fromkeys(NAMES, PLACEHOLDER) | encryption_keys())
    variables = service_environment(layout, service) | {"SERVICE": SERVICES[service]}
    if service == "notification":  # its email worker reads the most variables
        variables |= notification_worker(layout, "email", {}).environment
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT / service,
        env={"PATH": "/usr/bin:/bin"} | variables,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nCommand failed for {service}-ms: {' '.join(arguments[:2])}")
    return done.stdout
