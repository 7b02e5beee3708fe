"""Where the checkout is, and the API files that may stand beside it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEC = ROOT.parent / "shared" / "spec"
