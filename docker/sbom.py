"""Print what an image holds, as a CycloneDX bill of materials; run inside it: sbom.py NAME VERSION.

Python packages with the licences that they declare, and the packages of Debian or Ubuntu. Standard library only.
"""

import json
import re
import subprocess
import sys
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path
from typing import cast
from urllib.parse import quote

Component = dict[str, object]


def python_packages() -> list[Component]:
    """The packages that Python finds, each once."""
    found: dict[str, Component] = {}
    for distribution in distributions():
        about = cast(Message, distribution.metadata)
        name = re.sub(r"[-_.]+", "-", str(about["Name"])).lower()
        if name not in found:  # the first one is the one that is imported
            purl = f"pkg:pypi/{name}@{quote(distribution.version)}"
            found[name] = component(name, distribution.version, purl, licence_of(about))
    return [found[name] for name in sorted(found)]


def licence_of(about: Message) -> str:
    """The licence of a Python package in a few words, as far as it declares one."""
    declared = str(about["License-Expression"] or about["License"] or "").strip()
    if declared and "\n" not in declared and len(declared) <= 80:
        return declared
    classifiers = [str(line) for line in about.get_all("Classifier", [])]
    names = [line.split(" :: ")[-1] for line in classifiers if line.startswith("License ::")]
    return ", ".join(names)


def system_packages() -> list[Component]:
    """The packages of Debian or Ubuntu; none where dpkg-query is not there."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    system = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)["ID"].strip('"')
    try:
        listed = subprocess.run(
            ["dpkg-query", "--show", "--showformat", "${Package}\t${Version}\t${Architecture}\n"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except FileNotFoundError:
        return []
    packages = sorted(line.split("\t") for line in listed.splitlines())
    return [
        component(name, version, f"pkg:deb/{system}/{quote(name)}@{quote(version)}?arch={architecture}", "")
        for name, version, architecture in packages
    ]


def component(name: str, version: str, purl: str, licence: str) -> Component:
    """One entry of the list."""
    entry: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**entry, "licenses": [{"license": {"name": licence}}]} if licence else entry


def bill_of_materials(name: str, version: str) -> Component:
    """CycloneDX 1.5, without a date or a serial number: equal images give equal files."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": [*python_packages(), *system_packages()],
    }


if __name__ == "__main__":
    print(json.dumps(bill_of_materials(*sys.argv[1:3]), indent=1))
