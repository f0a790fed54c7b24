"""What a comment or a page names of this repository is there."""
import fnmatch
import re

from tree import FOLDERS

SLASHES = re.compile(r"(?:^|\s)//\s(.*)")
HASH = re.compile(r"(?:^|\s)#\s(.*)")
SPAN = re.compile(r"`([^`]*)`")
# A path from the root, or the bare name of a page or a source.
NAME = re.compile(r"(?<![\w./<\"-])((?:%s)/[\w./*-]*[\w*]|[A-Za-z][\w-]*\.(?:md|cc))(?![\w/])"
                  % "|".join(FOLDERS))


def prose(path, line):
    """Where a line names files in words, not in code."""
    if path.endswith(".md"):
        return SPAN.findall(line)
    slashes = path.endswith((".h", ".cc", ".inc", ".in", ".fbs"))
    comment = (SLASHES if slashes else HASH).search(line)
    return [comment.group(1)] if comment else []


def check_references(tree):
    found = []
    paths = tree.paths()
    known = paths | {path.rsplit("/", 1)[-1] for path in paths}
    for path, text in sorted(tree.files.items()):
        for number, line in enumerate(text.splitlines(), 1):
            for words in prose(path, line):
                for name in NAME.findall(words):
                    if name not in known and not ("*" in name and fnmatch.filter(known, name)):
                        found.append(f"{path}:{number}: there is no {name}")
    return found
