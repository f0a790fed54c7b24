"""What a header says first, and words that do not belong on main."""
import re

# Written apart, so that this file passes its own check.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
FIRST_LINE = re.compile(r"^// (?P<path>\S+): (?P<text>\S.*)")
VISIBILITY = re.compile(r"(public|private|internal)\b.*\. \S")
HEADER_COMMENT_LINES_MAX = 20
USING = re.compile(r"^using namespace\b", re.M)


def check_words(tree):
    found = []
    for path, text in sorted(tree.files.items()):
        for number, line in enumerate(text.splitlines(), 1):
            if UNFINISHED.search(line):
                found.append(f"{path}:{number}: unfinished work: finish it or leave it out")
    for path, text in tree.cpp().items():
        for match in USING.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{line}: no `using namespace` at file level (unity builds)")
    return found


def check_headers(tree):
    found = []
    for path, text in tree.cpp().items():
        if not path.endswith(".h"):
            continue
        lines = text.splitlines() or [""]
        match = FIRST_LINE.match(lines[0])
        if not match or match.group("path") != path:
            found.append(f"{path}:1: begins with `// {path}: ` and what it is for")
        elif path.startswith("src/") and not VISIBILITY.match(match.group("text")):
            found.append(f"{path}:1: says after its path `public.` or `internal to X.`")
        length = next((n for n, line in enumerate(lines) if not line.startswith("//")), len(lines))
        if length > HEADER_COMMENT_LINES_MAX:
            found.append(f"{path}:1: the opening comment has {length} lines, "
                         f"{HEADER_COMMENT_LINES_MAX} are allowed")
        if not re.search(r"^#pragma once$", text, re.M):
            found.append(f"{path}:1: has no `#pragma once`")
    return found
