"""`make new-service NAME=billing`: create a service from templates/ and register it in the files that list services.

The templates are valid Python, YAML and so on for a service called `newservice`. Lines that end in `# if outbox` or
`# if no outbox` are only kept for a service that publishes events, or only for one that does not.
"""

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installation.service_catalog import EVERY
from local import ports
from local.paths import ROOT

TEMPLATES = ROOT / "templates"
PYTHON = ROOT / ".venv" / "bin" / "python"
TAKEN = {"chassis", "django", "celery", "kombu"}  # besides existing folders and the standard library
_WHEN = re.compile(r"[ \t]*# if (no )?outbox$")


@dataclass(frozen=True)
class Template:
    """The values for the templates."""

    name: str
    outbox: bool

    @property
    def numbers(self) -> dict[str, int]:
        """The ports of the new service, which no other service uses."""
        port = max(service.port for service in EVERY.values()) + 1
        while port in ports.DEFAULTS.values():
            port += 1
        return {"@PORT@": port, "@DATABASE_PORT@": 24100 + len(EVERY), "@RELAY_METRICS_PORT@": 24200 + len(EVERY)}

    def fill(self, text: str) -> str:
        """Return a template's text for this service."""
        lines = []
        for line in text.splitlines(keepends=True):
            condition = _WHEN.search(line.rstrip("\n"))
            if condition is None:
                lines.append(line)
            elif self.outbox != bool(condition[1]):
                lines.append(line[: condition.start()] + "\n")
        whole = "".join(lines).replace("newservice", self.name).replace("NEWSERVICE", self.name.upper())
        for word, number in self.numbers.items():
            whole = whole.replace(word, str(number))
        return whole

    def renamed(self, text: str) -> str:
        """Return a text of users-ms for this service."""
        return text.replace("users", self.name).replace("USERS", self.name.upper())


def make(name: str, *, outbox: bool) -> None:
    """Create the service and print what is left to do. Exits when the name is invalid or taken."""
    _check(name)
    template = Template(name, outbox)
    changed = _edited(template)  # before anything is written
    advice = template.fill((TEMPLATES / "advice.txt").read_text())
    _write_service(template)
    _copy_kustomize_base(template)
    for path, text in changed.items():
        path.write_text(text)
    _lock(name)
    for command in (["ruff", "check", "--quiet", "--fix", name], ["ruff", "format", "--quiet", name]):
        subprocess.run([PYTHON, "-m", *command], cwd=ROOT, check=True)
    subprocess.run([PYTHON, "-m", "tools", "generate"], cwd=ROOT, check=True)
    print(advice)


def _check(name: str) -> None:
    if not re.fullmatch(r"[a-z]{3,20}", name):
        sys.exit(f"The name of a service is one word of 3 to 20 lowercase letters, such as billing; got {name!r}.")
    if name in TAKEN or name in sys.stdlib_module_names or (ROOT / name).exists():
        sys.exit(f"The name {name} is taken. Nothing was written.")


def _edited(template: Template) -> dict[Path, str]:
    """Return the edited contents of the files that list services. Exits when a file has no place for an edit."""
    changed: dict[Path, str] = {}
    for file, edits in tomllib.loads((TEMPLATES / "edits.toml").read_text()).items():
        content = (ROOT / file).read_text()
        for edit in edits:
            if template.outbox or not edit.get("outbox"):
                content = _edit(template, content, file, **edit)
        changed[ROOT / file] = content
    return changed


def _edit(template: Template, content: str, file: str, **edit: Any) -> str:
    """One edit of templates/edits.toml, which explains them."""
    found = {key: list(re.finditer(edit[key], content, re.MULTILINE)) for key in ("copy", "before") if key in edit}
    if not all(found.values()):
        sys.exit(f"Nothing was written: {file} has no place for this edit of templates/edits.toml: {edit}")

    def copy_of(match: re.Match[str]) -> str:
        return template.renamed(match[0]).replace(edit.get("without", "\0"), "")

    if "before" in edit:
        text = copy_of(found["copy"][-1]) if "copy" in edit else template.fill(edit["text"])
        place = found["before"][-1].start()
        return content[:place] + text + content[place:]
    return re.sub(edit["copy"], lambda match: match[0] + copy_of(match), content, flags=re.MULTILINE)


def _write_service(template: Template) -> None:
    """Write the folder of the service, its documentation page and its requirements."""
    folder = TEMPLATES / "service"
    for source in sorted(folder.rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            target = template.fill(str(source.relative_to(folder)))
            _write(ROOT / template.name / target, template.fill(source.read_text()))
    _write(ROOT / template.name / "manage.py", template.renamed((ROOT / "users" / "manage.py").read_text()))
    page = template.fill((TEMPLATES / "docs" / "page.md").read_text())
    _write(ROOT / "docs" / "services" / f"{template.name}.md", page)
    _write(ROOT / "requirements" / f"{template.name}.in", "-r chassis.in\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _copy_kustomize_base(template: Template) -> None:
    """Copy the manifests of users-ms, which only contain names, but for its secrets; add network policies and the
    label that base/ sets."""
    base, name = ROOT / "kustomize" / "base", template.name
    for source in sorted((base / "users").rglob("*.yaml")):
        relative = source.relative_to(base / "users")
        if template.outbox or relative.parts[0] != "outbox-relay":
            _write(base / name / relative, template.renamed(source.read_text()))
    environment = (TEMPLATES / "kustomize" / "environment.patch.yaml").read_text()
    _write(base / name / "environment" / "environment.patch.yaml", template.fill(environment))
    kustomization = base / name / "kustomization.yaml"
    text = kustomization.read_text()
    if not template.outbox:
        text = text.replace(" outbox-relay,", "")
    label = "labels:\n  - pairs: {app.kubernetes.io/part-of: tessera}\n    includeTemplates: true\n"
    kustomization.write_text(text + label)
    policies = ROOT / "kustomize" / "components" / "network-policies"
    _write(policies / f"{name}-db.yaml", template.renamed((policies / "users-db.yaml").read_text()))


def _lock(name: str) -> None:
    """Lock the requirements to the versions of users-ms, with hashes."""
    command = [f"{ROOT}/.venv/bin/uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", "3.11", "--constraint", "users.txt", f"{name}.in", "-o", f"{name}.txt"]
    subprocess.run(command, cwd=ROOT / "requirements", check=True)
