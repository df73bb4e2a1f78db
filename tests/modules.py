"""The explorer's JavaScript modules in node, as the tests ask them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import npm

SOURCES = Path(__file__).parents[1] / "vit_tutorial" / "explorer" / "js"


def javascript(imports: str, expression: str) -> Any:
    """The value of an expression after these lines of imports, which are relative to
    the folder of the modules; it comes as JSON.
    """
    program = f"{imports}\nprocess.stdout.write(JSON.stringify({expression}));"
    command = [npm.find("node"), "--input-type=module", "-"]
    answer = subprocess.run(
        command, cwd=SOURCES, input=program, capture_output=True, encoding="utf-8"
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)
