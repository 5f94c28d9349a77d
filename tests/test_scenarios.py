"""The list of scenarios is whole, and a scenario counts only when all of it was proved."""

from tests import scenarios


def test_every_scenario_and_invariant_of_the_domain_documents_is_listed() -> None:
    counts = {"T": 42, "C": 19, "M": 30, "P": 25, "INV-": 15, "MP-": 8}
    assert set(scenarios.known()) == {
        f"{letter}{number}" for letter, most in counts.items() for number in range(1, most + 1)
    }


def test_a_scenario_is_proved_when_every_listed_part_passed() -> None:
    listed = {"T1": ("events", "http"), "T2": (), "T3": (), "T4": ()}
    results = {"T1/events": [True], "T2": [True, True], "T3": [True, False]}
    assert scenarios.verdict(listed, results) == {"proved": ["T2"], "missing": ["T1", "T3", "T4"]}
    assert scenarios.verdict(listed, results | {"T1/http": [True]})["proved"] == ["T1", "T2"]
    assert scenarios.verdict(listed, results | {"T1/http": [True], "T1": [False]})["proved"] == [
        "T2"
    ]
