"""The entry point of the on-call server in compose; `./bina oncall` starts the same server.

Usage: python -m ops.oncall ONCALL.toml INCIDENTS.json HOST PORT
"""

import logging
import sys
from pathlib import Path

from ops.errors import OperatorError
from ops.oncall.run import serve

_ARGUMENTS = 5

if __name__ == "__main__":
    if len(sys.argv) != _ARGUMENTS:
        sys.exit(__doc__)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    except OperatorError as error:
        sys.exit(str(error))
