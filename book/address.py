"""Where the repository and the website are, said in one place: pyproject.toml.

    [project.urls]
    Repository = "https://github.com/OWNER/NAME"
    Documentation = "https://OWNER.github.io/NAME"

Without them the pages have no canonical address, no link to their sources and no
buttons of Colab and Binder.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

BRANCH = "main"
GITHUB = "https://github.com"


def read(root: Path) -> dict[str, str]:
    """The addresses by name, without a slash at the end; none where none is set. Raises
    ValueError where the repository is not on GitHub, whose form links and buttons have.
    """
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    urls = tomllib.loads(text)["project"].get("urls", {})
    urls = {name: address.rstrip("/") for name, address in urls.items()}
    repository = urls.get("Repository", f"{GITHUB}/owner/name")
    if not re.fullmatch(rf"{GITHUB}/[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"Repository is {repository!r}, expected {GITHUB}/OWNER/NAME")
    return urls


def base(urls: dict[str, str]) -> str:
    """What the address of every page begins with: html_baseurl."""
    return f"{urls['Documentation']}/" if "Documentation" in urls else ""


def buttons(urls: dict[str, str]) -> dict[str, Any]:
    """The theme's options for the buttons that need the repository."""
    if "Repository" not in urls:
        return {}
    services = {
        "colab_url": "https://colab.research.google.com",
        "binderhub_url": "https://mybinder.org",
        "notebook_interface": "jupyterlab",
    }
    return {
        "repository_url": urls["Repository"],
        "repository_branch": BRANCH,
        "use_repository_button": True,
        "use_edit_page_button": True,
        "launch_buttons": services,
    }


def edit_link(urls: dict[str, str]) -> dict[str, str]:
    """The theme's context for the link that edits a page: of a chapter, its text."""
    if "Repository" not in urls:
        return {}
    file = "{{ file_name | replace('.ipynb', '.md') }}"
    return {
        "edit_page_url_template": f"{urls['Repository']}/edit/{BRANCH}/{file}",
        "edit_page_provider_name": "GitHub",
    }
