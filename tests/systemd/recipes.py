"""Reads docs/recipes/*.md: what a page tells a person to do, in order.

A page is numbered steps; what is set in by seven columns is to be done. A
block is a file if the words before it end in its path and a colon, a piece
of policy if it starts with a quote, and else commands, one a line.
"""

import json
import re
from dataclasses import dataclass

from lab import paths

FOLDER = paths.REPO / "docs" / "recipes"
_STEP = re.compile(r"^(\d+)\. ")
_FILE = re.compile(r"`(/[^`\s]+)`[^`]*:$")
_DEEP = " " * 7


@dataclass
class Command:
    step: int
    text: str
    comment: str


@dataclass
class File:
    step: int
    path: str
    text: str


@dataclass
class Policy:
    step: int
    keys: dict


def _blocks(page):
    """(step, words before it, lines) of each block."""
    step, words, lines = 0, [], []
    for line in [*page.splitlines(), "end"]:
        if line.startswith(_DEEP) or (not line and lines):
            lines.append(line[len(_DEEP) :])
            continue
        if lines:
            yield step, " ".join(words).strip(), lines
            words, lines = [], []
        found = _STEP.match(line)
        if found:
            step, words = int(found[1]), []
        words.append(line.strip())


def _commands(step, lines):
    for line in lines:
        text, _, comment = line.partition("  # ")
        if text.strip():
            yield Command(step, text.strip(), comment.strip(" #"))


def read(name):
    """Everything that a page tells to do; nothing set in is left out."""
    found = []
    for step, words, lines in _blocks((FOLDER / name).read_text()):
        text = "\n".join(lines).strip() + "\n"
        path = _FILE.search(words)
        if text.startswith('"'):
            found.append(Policy(step, json.loads("{" + text + "}")))
        elif path:
            found.append(File(step, path[1], text))
        else:
            found.extend(_commands(step, lines))
    return found
