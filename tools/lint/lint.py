#!/usr/bin/env python3
"""All checks of the house over the whole tree: lint.py [--tap] [--fix]."""
import os
import sys
import time

import formatting
import layers
import manual
import references
import sizes
import words
from tree import Tree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def ratchet():
    with open(os.path.join(os.path.dirname(__file__), "ratchet.txt"), encoding="utf-8") as file:
        return file.read()


CHECKS = {
    "layers": layers.check_includes,
    "cycles": layers.check_cycles,
    "sizes": lambda tree: sizes.check_sizes(tree, ratchet()),
    "words": words.check_words,
    "headers": words.check_headers,
    "manual": manual.check_manual,
    "links": manual.check_links,
    "names": references.check_references,
    "decided": manual.check_decisions,
    "format": lambda tree: formatting.check_format(ROOT, tree),
}


def main(arguments):
    tap = "--tap" in arguments
    unknown = set(arguments) - {"--tap", "--fix"}
    if unknown:
        print(f"lint.py: unknown argument {sorted(unknown)[0]}", file=sys.stderr)
        return 2
    tree = Tree.read(ROOT)
    cause = formatting.missing()
    if "--fix" in arguments:
        if cause:
            print(f"not formatted: {cause}", file=sys.stderr)
            return 1
        formatting.fix(ROOT, tree)
        tree = Tree.read(ROOT)
    problems = 0
    for name, check in CHECKS.items():
        began = time.monotonic()
        skipped = name == "format" and cause
        found = [] if skipped else check(tree)
        problems += len(found)
        for line in found:
            print(line)
        outcome = f"# SKIP {cause}" if skipped else ""
        if tap:
            print(f"{'not ok' if found else 'ok'} - {name} {outcome}".rstrip())
        else:
            text = outcome or f"{len(found)} problems, {time.monotonic() - began:.1f} s"
            print(f"== lint: {name:8} {text}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
