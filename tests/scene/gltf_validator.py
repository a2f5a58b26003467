"""The Khronos validator for glTF, from npm; it is no part of the package."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE

_PACKAGE = "gltf-validator@2.0.0-dev.3.10"
_FOLDER = Path(__file__).parents[2] / "build" / "gltf-validator"
_SCRIPT = """
const fs = require("fs"), validator = require("gltf-validator");
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 100})
  .then(report => console.log(JSON.stringify(report)));
"""


def validated(path: Path) -> dict[str, Any]:
    """What the validator says of a file; skips the test where it cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no node or npm, which the glTF validator needs")
    if not (_FOLDER / "node_modules" / "gltf-validator").is_dir():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                [*command, "--prefix", str(_FOLDER), _PACKAGE],
                check=True,
                capture_output=True,
                timeout=PATIENCE,
            )
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"npm cannot install {_PACKAGE}: {error}")
    done = subprocess.run(
        ["node", "-e", _SCRIPT, str(path)],
        cwd=_FOLDER,
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return json.loads(done.stdout)
