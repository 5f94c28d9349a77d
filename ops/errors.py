"""The error that ops shows to a person. Not here: errors of the product."""

ALTERNATIVES_ID = (
    "atau pakai server sendiri lewat BINA_MONGO_URL dan BINA_KAFKA, atau `docker compose up`"
)
ALTERNATIVES_EN = (
    "or use servers of your own by BINA_MONGO_URL and BINA_KAFKA, or `docker compose up`"
)


class OperatorError(Exception):
    """Something that a person must correct.

    One Indonesian and one English sentence, each of which says what to do.
    """

    def __init__(self, indonesian: str, english: str) -> None:
        super().__init__(f"{indonesian}\n{english}")
        self.indonesian = indonesian
        self.english = english
