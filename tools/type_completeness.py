"""Check how much of the public face has a known type: ``python -m tools.type_completeness``.

basedpyright must be installed. Its option ``--verifytypes`` wants 100 %; what is missing are loggers, and the command
line's own app.
"""

from __future__ import annotations

import json
import subprocess
import sys

FLOOR = 0.99
COMMAND = ("basedpyright", "--verifytypes", "sevendigital_async", "--ignoreexternal", "--outputjson")


def main() -> str | None:
    """Return what is wrong; None if nothing is."""
    command = [*COMMAND, "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - as above
    found = json.loads(done.stdout)["typeCompleteness"]
    if not found["packageName"] or not found["pyTypedPath"]:
        return "the package has no py.typed"
    score = found["completenessScore"]
    print(f"{score:.2%} of the public face have a known type")  # noqa: T201 - its output
    if score >= FLOOR:
        return None
    unknown = [symbol["name"] for symbol in found["symbols"] if symbol["isExported"] and not symbol["isTypeKnown"]]
    return "\n".join([*unknown, f"less than {FLOOR:.0%}: the types of these names are not known"])


if __name__ == "__main__":
    sys.exit(main())
