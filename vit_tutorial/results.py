"""Results that the chapters read instead of computing them: the records of finished
runs and measurements.
"""

import json
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
FOLDERS = (  # where a record is looked for, in this order
    Path("../results"),  # beside the notebook's folder, as in the repository
    PACKAGE / "recorded",  # an installed package carries them
    PACKAGE.parent / "results",  # the repository that the package is used from
)


def read_result(name: str) -> dict:
    """The record `name` of results/, wherever the notebook lies.

    Raises FileNotFoundError or ValueError, one line, for a record that is not there or
    broken.
    """
    for folder in FOLDERS:
        path = folder / f"{name}.json"
        if path.is_file():
            try:
                return json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{path} is broken: {error}") from error
    places = ", ".join(str(folder) for folder in FOLDERS)
    raise FileNotFoundError(
        f"no record {name!r} in {places}: work in the repository, or install"
        " vit_tutorial from it"
    )
