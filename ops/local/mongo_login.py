"""How `backup` and `restore` reach a MongoDB that is not the embedded one. Not here: the embedded one, and what they do there."""

import os

from ops.local import secret_files

URL_VARIABLE, URL_FILE_VARIABLE = "BINA_MONGO_URL", "BINA_MONGO_URL_FILE"


def configured_url() -> str | None:
    """The URL of the MongoDB that is named, by itself or by a file that only its owner reads; None where the embedded one is meant. OperatorError when the file cannot be read."""
    return (
        os.environ.get(URL_VARIABLE) or secret_files.text_from_variable(URL_FILE_VARIABLE) or None
    )
