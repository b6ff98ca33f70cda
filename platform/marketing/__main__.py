"""`python -m marketing CONFIG`: runs the platform; one JSON line on standard output says when it is ready.

Exit codes: 0 ended as asked, 1 could not start or failed, 2 wrong configuration, 3 the run became invalid.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
from pathlib import Path
from typing import Any

from marketing.config import ConfigError, load_config, with_taps
from marketing.hiding import log_safely, safe


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m marketing", description="The precision-marketing platform."
    )
    parser.add_argument("config", type=Path, help="configuration file (YAML)")
    parser.add_argument(
        "--log", default="info", choices=("debug", "info", "warning", "error"), help="what to log"
    )
    parser.add_argument(
        "--tap", action="append", default=[], metavar="FILE|-", help="read a capture too; may be repeated"
    )
    parser.add_argument("--exit-at-end", action="store_true", help="end when all taps are at their end")
    options = parser.parse_args(arguments)
    log_safely(options.log)
    try:
        config = with_taps(load_config(options.config), options.tap, options.exit_at_end)
        from marketing.server import (
            Server,
            StartError,
        )  # after the configuration: a mistake in it is told at once

        server = Server(config)
        server.on_ready = _say_ready
        try:
            return server.run()
        except StartError as error:
            print(f"marketing: {safe(str(error))}", file=sys.stderr)  # noqa: T201 - it talks to people
            return 1
        except ConfigError:
            raise
        except Exception:
            logging.getLogger("marketing").exception("the platform failed")
            return 1
    except ConfigError as error:
        print(safe(str(error)), file=sys.stderr)  # noqa: T201 - the command line
        return 2


def _say_ready(addresses: dict[str, Any]) -> None:
    gc.collect()
    gc.freeze()  # what is there now lives as long as the process: no collection need look at it again
    print(json.dumps(addresses), flush=True)  # noqa: T201 - this line is the interface to whoever started us


if __name__ == "__main__":
    sys.exit(main())
