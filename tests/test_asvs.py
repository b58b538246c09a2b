"""docs/asvs.md lists every requirement of ASVS 5.0.0, levels 1 and 2, once, with a state and evidence."""

import re
from collections import Counter
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "asvs.md").read_text()
STATES = ("met", "partly", "not met", "not applicable")
# The levels of each section's requirements, in the order of the standard; level 3 requirements follow them.
SECTIONS = {
    "1.1": "22",
    "1.2": "111112222",
    "1.3": "11222222222",
    "1.4": "222",
    "1.5": "12",
    "2.1": "122",
    "2.2": "112",
    "2.3": "1222",
    "2.4": "2",
    "3.2": "11",
    "3.3": "1222",
    "3.4": "112222",
    "3.5": "11122",
    "3.7": "22",
    "4.1": "122",
    "4.2": "2",
    "4.3": "22",
    "4.4": "1222",
    "5.1": "2",
    "5.2": "112",
    "5.3": "11",
    "5.4": "222",
    "6.1": "122",
    "6.2": "111111112222",
    "6.3": "1122",
    "6.4": "1122",
    "6.5": "22222",
    "6.6": "222",
    "6.8": "2222",
    "7.1": "222",
    "7.2": "1111",
    "7.3": "22",
    "7.4": "11222",
    "7.5": "22",
    "7.6": "22",
    "8.1": "12",
    "8.2": "112",
    "8.3": "1",
    "8.4": "2",
    "9.1": "111",
    "9.2": "1222",
    "10.1": "22",
    "10.2": "22",
    "10.3": "2222",
    "10.4": "11111222222",
    "10.5": "22222",
    "10.6": "22",
    "10.7": "222",
    "11.1": "22",
    "11.2": "222",
    "11.3": "112",
    "11.4": "1222",
    "11.5": "2",
    "11.6": "2",
    "12.1": "122",
    "12.2": "11",
    "12.3": "2222",
    "13.1": "2",
    "13.2": "22222",
    "13.3": "22",
    "13.4": "12222",
    "14.1": "22",
    "14.2": "1222",
    "14.3": "122",
    "15.1": "122",
    "15.2": "122",
    "15.3": "1222222",
    "16.1": "2",
    "16.2": "22222",
    "16.3": "2222",
    "16.4": "222",
    "16.5": "222",
    "17.1": "2",
    "17.2": "2222",
    "17.3": "22",
}
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([12]) \| (.+) \| ([a-z ]+) \| (.+) \|$", re.MULTILINE)


def rows():
    return [match.groups() for match in ROW.finditer(PAGE)]


def test_every_requirement_has_one_row_with_its_level():
    wanted = [
        (f"{section}.{number}", level)
        for section, levels in SECTIONS.items()
        for number, level in enumerate(levels, start=1)
    ]

    assert [(number, level) for number, level, *_ in rows()] == wanted


def test_each_row_has_a_known_state_and_a_reason():
    wrong = [number for number, _, _, state, reason in rows() if state not in STATES or not reason.strip()]

    assert not wrong


def test_the_totals_match_the_rows():
    chapters = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    counted = [Counter(match[4] for match in ROW.finditer(chapter)) for chapter in chapters]
    sums = [[count[state] for state in STATES] for count in [*counted, sum(counted, Counter())]]

    stated = re.findall(r"^\| (?:\[V\d+ [^|]*|all) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)

    assert [[int(number) for number in row] for row in stated] == sums
