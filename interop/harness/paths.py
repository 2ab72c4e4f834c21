"""Where things lie. Everything made at run time goes below `.work`, which git ignores."""

from pathlib import Path

INTEROP = Path(__file__).resolve().parent.parent
REPOSITORY = INTEROP.parent
WORK = INTEROP / ".work"
RUNS = WORK / "runs"
