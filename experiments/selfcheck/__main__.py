"""`python -m experiments.selfcheck [small|full]`: the statistics' cases as a table; exit 3 if one fails."""

from __future__ import annotations

import sys
from typing import get_args

from experiments.selfcheck.cases import InThisProcess, Scale, cases


def main(arguments: list[str]) -> int:
    """Prints a row a case."""
    scale = arguments[0] if arguments else "small"
    if len(arguments) > 1 or scale not in get_args(Scale):
        sys.stderr.write(f"usage: python -m experiments.selfcheck [{'|'.join(get_args(Scale))}]\n")
        return 2
    failed = 0
    for case in cases("full" if scale == "full" else "small", InThisProcess()):
        failed += not case.passed
        figures = "  ".join(f"{name} {value:.4f}" for name, value in case.found.items())
        sys.stdout.write(f"{'ok  ' if case.passed else 'FAIL'}  {case.name:44}  {case.tries:6}  {figures}\n")
    return 3 if failed else 0


sys.exit(main(sys.argv[1:]))
