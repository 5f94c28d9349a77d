"""The one error that ops shows to a person; what does not belong here: errors of the product."""


class OperatorError(Exception):
    """Something a person must put right: one Indonesian and one English sentence, each saying what to do."""

    def __init__(self, indonesian: str, english: str) -> None:
        super().__init__(f"{indonesian}\n{english}")
        self.indonesian = indonesian
        self.english = english


ALTERNATIVES_ID = (
    "atau pakai server sendiri lewat BINA_MONGO_URL dan BINA_KAFKA, atau `docker compose up`"
)
ALTERNATIVES_EN = (
    "or use servers of your own by BINA_MONGO_URL and BINA_KAFKA, or `docker compose up`"
)
