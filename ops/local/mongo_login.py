"""The URL with which `backup` and `restore` connect to a MongoDB of your own.

Not here: the embedded one.
"""

import os

from ops.local import secret_files

URL_VARIABLE = "BINA_MONGO_URL"
URL_FILE_VARIABLE = "BINA_MONGO_URL_FILE"


def configured_url() -> str | None:
    """Return the URL in BINA_MONGO_URL or in the file that BINA_MONGO_URL_FILE names.

    Returns None for the embedded MongoDB. Raises OperatorError when the file cannot be read.
    """
    return (
        os.environ.get(URL_VARIABLE) or secret_files.text_from_variable(URL_FILE_VARIABLE) or None
    )
