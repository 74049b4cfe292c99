"""What the page knows of the API is what the API is: `make api` was typed after the last change."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import BACKEND, clean_environment

ROOT = BACKEND.parent
PAGE = ROOT / "frontend"
OUT_OF_DATE = "is out of date. Type: make api"


@pytest.mark.parametrize("settings", [{}, {"ACCOUNTS": "1", "PORT": "9", "MAX_MESSAGE_CHARS": "7", "TITLES": "0"}])
def test_the_page_s_openapi_document_is_the_service_s_whatever_is_set(tmp_path: Path, settings: dict[str, str]) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "app.cli", "openapi"],
        cwd=BACKEND,
        env=clean_environment(tmp_path) | {"MODELS_FILE": "/dev/null"} | settings,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert printed.stderr == b""
    assert (PAGE / "openapi.json").read_bytes() == printed.stdout, f"frontend/openapi.json {OUT_OF_DATE}"


def test_the_document_of_settings_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "app.cli", "openapi"],
        cwd=BACKEND,
        env=clean_environment(tmp_path) | {"PORT": "no port"},
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("PORT cannot be 'no port': ")


def test_the_page_s_types_are_made_from_that_document(tmp_path: Path) -> None:
    made = tmp_path / "generated"
    npm = ["sh", "scripts/page.sh", "npm", "run", "--silent", "api", "--", "--output", str(made)]
    subprocess.run(npm, cwd=ROOT, capture_output=True, check=True, timeout=110)
    known = PAGE / "src" / "api" / "generated"
    assert contents(made) == contents(known), f"frontend/src/api/generated {OUT_OF_DATE}"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in `folder`."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
