"""Writes docs/conformance.md from the items and the tests that hold them.

    table.py [--check]

Items are in the .txt files beside this one: "NUMBER what holds", then one
line each with a tab for a test (FILE::NAME, FILE::NAME[CASE], below tests/),
for what "later: ..." brings, or for what holds "by contract: ..." instead.
A test that does not exist is an error; an item without anything is red.
--check writes nothing: it fails when the page is not what it would write.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
PAGE = TESTS.parent / "docs" / "conformance.md"
AREAS = {
    "http": "HTTP, SOCKS and daemon practice",
    "privatelink": "Hostile inputs: authorities, DNS, TLS, policy",
    "peers": "Defects of others, kept as our tests",
}
# Where the cases of tests with parameters are listed.
CASE_FILES = ["lab/zones.py", "corpora/authorities.py"]
HEAD = """# Conformance

Written by `tests/conformance/table.py` from the lists beside it, and compared
by `make check`: each test named here exists, and runs with `./bootstrap
check`. Paths are below `tests/`; the cases of `corpora/` run through the live
daemon (`e2e/test_corpora.py`, `e2e/test_authorities.py`), whole and in pieces.
"""


class Item:
    def __init__(self, number, text):
        self.number = number
        self.text = text
        self.tests, self.notes = [], []

    def state(self):
        if self.tests:
            return "; ".join(["tested", *self.notes])
        return "; ".join(self.notes) or "**nothing**"


def read_items(path):
    items = []
    for line in path.read_text().splitlines():
        if line.startswith("\t"):
            said = line.strip()
            note = said.startswith(("later: ", "by contract: "))
            (items[-1].notes if note else items[-1].tests).append(said)
        else:
            number, _, text = line.partition(" ")
            items.append(Item(int(number), text))
    return items


def defines(text, name):
    """Whether a C, Python or shell text has a test or table of that name."""
    word = re.escape(name)
    forms = (
        rf"^{word}\(",
        rf"^def {word}\(",
        rf"^{word} = [\[{{]",
        rf"^    def {word}\(",
        rf"\bT\({word}\)",
    )
    return any(re.search(f, text, re.MULTILINE) for f in forms)


def has_case(text, case):
    word = re.escape(case)
    key = rf'("{word}"|{word})' if case.isdigit() else f'"{word}"'
    return re.search(rf"^\s+{key}: ", text, re.MULTILINE)


def fault(test):
    """What is wrong with the name of a test, or None."""
    found = re.fullmatch(r"([\w/.]+)::(\w+)(?:\[([^\]]+)\])?", test)
    if not found:
        return "is no FILE::NAME or FILE::NAME[CASE]"
    path, name, case = found.groups()
    file = TESTS / path
    if not file.is_file():
        return "is in no file that there is"
    text = file.read_text()
    if not defines(text, name):
        return "does not exist"
    texts = [text, *((TESTS / f).read_text() for f in CASE_FILES)]
    if case and not any(has_case(t, case) for t in texts):
        return "has no such case"
    return None


def areas():
    return {area: read_items(HERE / f"{area}.txt") for area in AREAS}


def faults(items_of):
    for area, items in items_of.items():
        numbers = [i.number for i in items]
        if numbers != list(range(1, len(items) + 1)):
            yield f"{area}: the numbers are not 1, 2, 3, ..."
        for item in items:
            if not item.tests and not item.notes:
                yield f"{area} {item.number} has neither test nor note"
            for test in item.tests:
                wrong = fault(test)
                if wrong:
                    yield f"{area} {item.number}: {test} {wrong}"


def render(items_of):
    out = [HEAD]
    for area, items in items_of.items():
        tested = sum(bool(i.tests) for i in items)
        out.append(f"\n## {AREAS[area]}\n")
        out.append(f"{tested} of {len(items)} are tested.\n")
        out.append("| # | what holds | tests | state |")
        out.append("|---|---|---|---|")
        for i in items:
            tests = "<br>".join(f"`{t}`" for t in i.tests)
            out.append(f"| {i.number} | {i.text} | {tests} | {i.state()} |")
    return "\n".join(out) + "\n"


def main(*words):
    items_of = areas()
    wrong = list(faults(items_of))
    page = render(items_of)
    if words != ("--check",):
        PAGE.write_text(page)
    elif not PAGE.is_file() or PAGE.read_text() != page:
        wrong.append("docs/conformance.md is old: run table.py")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
