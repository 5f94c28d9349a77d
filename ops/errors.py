"""The error that ops shows to a person. Not here: errors of the product."""

from typing_extensions import override

from ops.language import choose

ALTERNATIVES_ID = (
    "atau pakai server sendiri lewat BINA_MONGO_URL dan BINA_KAFKA, atau `docker compose up`"
)
ALTERNATIVES_EN = (
    "or use servers of your own by BINA_MONGO_URL and BINA_KAFKA, or `docker compose up`"
)


class OperatorError(Exception):
    """Something that a person must correct.

    One Indonesian and one English sentence, each of which says what to do. Its text is the one in
    the language of the terminal.
    """

    def __init__(self, indonesian: str, english: str) -> None:
        super().__init__(indonesian, english)
        self.indonesian = indonesian
        self.english = english

    @override
    def __str__(self) -> str:
        return choose(self.indonesian, self.english)
