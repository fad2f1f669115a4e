"""Holds a CycloneDX and an SPDX file against the validators of their makers.

Arguments: the CycloneDX file, the SPDX file, the list of SPDX identifiers. Prints what is
wrong, a line each, and ends with 1 where anything is.
"""

import json
import pathlib
import sys

import cyclonedx.schema
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

bom_file, spdx_file, identifiers = (pathlib.Path(name) for name in sys.argv[1:])
wrong = []

error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom_file.read_text())
if error is not None:
    wrong.append(f"CycloneDX: {error!r}"[:2000])

for message in validate_full_spdx_document(parse_file(str(spdx_file)), "SPDX-2.3"):
    wrong.append(f"SPDX: {message.validation_message} ({message.context.spdx_id})")

licensing = get_spdx_licensing()
for part in json.loads(bom_file.read_text())["components"]:
    purl = PackageURL.from_string(part["purl"]).to_string()
    if purl != part["purl"]:
        wrong.append(f"purl: {part['purl']} should be {purl}")
    for choice in part.get("licenses", []):
        expression = choice.get("expression", "MIT")
        # A reference is no key that the list knows.
        unknown = [str(key) for key in licensing.unknown_license_keys(expression)]
        if any(not key.startswith("LicenseRef-") for key in unknown):
            wrong.append(f"licence: {expression}: {unknown}")

schema = pathlib.Path(cyclonedx.schema.__file__).parent / "_res/spdx.SNAPSHOT.schema.json"
official = json.loads(schema.read_text())["enum"]
lines = identifiers.read_text().splitlines()
ours = [line for line in lines if line and line[0] not in "#["]
if sorted(official) != sorted(ours):
    wrong.append(f"identifiers: {sorted(set(official) ^ set(ours))}")

print("\n".join(wrong))
sys.exit(bool(wrong))
