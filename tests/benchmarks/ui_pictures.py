"""Take the pictures of docs/ui.md and of the README: the browser test's own, in few colours.

    python tests/benchmarks/ui_pictures.py

It runs `tests/flows/test_browser.py`, which serves a shop on a real Prefect server, has a night
whose gate fails, a good one and one with a drift, asserts what the pages say and keeps a picture of
each; some of these go to docs/images.
"""

from __future__ import annotations

import subprocess
import sys

from PIL import Image
from places import REPO

TAKEN = REPO / "ci-output"
IMAGES = REPO / "docs" / "images"
PICTURES = {
    "flow-run": "prefect-flow-run",
    "ui-refused": "prefect-refused",
    "ui-scorecard": "prefect-history",
    "ui-drift": "prefect-drift",
}
_COLOURS = 128


def main() -> None:
    """Run the browser test, and keep some of its pictures small."""
    test = REPO / "tests" / "flows" / "test_browser.py"
    subprocess.run([sys.executable, "-m", "pytest", "-q", str(test)], cwd=REPO, check=True)
    for name, taken in PICTURES.items():
        picture = Image.open(TAKEN / f"{taken}.png").convert("RGB").quantize(_COLOURS)
        picture.save(IMAGES / f"{name}.png", optimize=True)
        print(f"{name}: {(IMAGES / f'{name}.png').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
