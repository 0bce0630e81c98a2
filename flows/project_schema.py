"""The project file's JSON Schema, by which editors complete and check `synth.yaml`.

`python -m prefect_synth.flows.project_schema` prints it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from prefect_synth.flows.project import Project


def project_schema() -> dict[str, Any]:
    """The JSON Schema of a project file."""
    schema = Project.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """The JSON Schema as it is published."""
    return json.dumps(project_schema(), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
