"""`make import`: users of another system, into the running stack."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from local.paths import ROOT
from tools.deployment.cluster import Cluster
from tools.deployment.compose import Project
from tools.deployment.local_processes import LocalProcesses
from tools.moving import formats

ROWS = ("ndjson", "csv")  # the rows of the import itself
AGAIN = "Nobody is imported twice, so run the same command again."


def run(stack: LocalProcesses | Project | Cluster, file: Path, *, system: str, parameters: Path | None) -> int:
    """Sends the users to `manage.py import_users`, with the reasons of refusals in a file beside `file`.

    Returns 1 when users were refused. Exits when the import does not end.
    """
    system = system or ("csv" if file.suffix == ".csv" else "ndjson")
    command, environment = stack.manage_command("users", "import_users", f"--format={_rows_of(system)}")
    refused = file.with_name(f"{file.name}.refused.ndjson")
    print(f"Importing {file}", flush=True)
    refused.touch(mode=0o600)
    with refused.open("w+b") as reasons:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=reasons)
        failure = _send(process, _lines(file, system, parameters))
        if process.wait() or failure:
            reason = f" {file} is not an export of {system}: {failure!r}." if failure else ""
            sys.exit(f"The import stopped; the users before that are imported.{reason} {AGAIN}")
        reasons.seek(0)
        sums = json.loads(reasons.readlines()[-1])
    print(f"{sums['accepted']} users imported, {sums['unchanged']} were here already, {sums['refused']} refused.")
    if not sums["refused"]:
        refused.unlink()
        return 0
    print(f"Why: {refused}. Correct their lines. {AGAIN}")
    return 1


def _send(process: "subprocess.Popen[bytes]", lines: Iterator[bytes]) -> Exception | None:
    """Writes the rows to the process. Returns why the file is no export of its system, if it is none."""
    try:
        with cast(IO[bytes], process.stdin) as pipe:
            for line in lines:
                pipe.write(line)
    except BrokenPipeError:
        return None  # the process has said why it ended
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return error
    return None


def _rows_of(system: str) -> str:
    return system if system in ROWS else ROWS[0]


def _lines(file: Path, system: str, parameters: Path | None) -> Iterator[bytes]:
    """The rows, each with the newline without which a last line counts as cut off."""
    if system not in ROWS:
        for row in formats.FORMATS[system](file, parameters):
            yield json.dumps(row, ensure_ascii=False).encode() + b"\n"
        return
    with file.open("rb") as lines:
        for line in lines:
            yield line if line.endswith(b"\n") else line + b"\n"
