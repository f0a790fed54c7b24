"""The files that are checked, as text. Checks see nothing else, so that their tests can plant."""
import os
import re

FOLDERS = ("src", "loadgen", "tools", "bench", "tests", "docs", "fbs")
KINDS = (".h", ".cc", ".inc", ".in", ".py", ".sh", ".md", ".fbs")
SINGLE = ("tools/dev", "LICENSE")


class Tree:
    """Path from the root -> text, with / between folders."""

    def __init__(self, files):
        self.files = files

    @classmethod
    def read(cls, root):
        files = {}
        for folder in FOLDERS:
            for directory, _, names in os.walk(os.path.join(root, folder)):
                for name in names:
                    if name.endswith(KINDS):
                        path = os.path.join(directory, name)
                        with open(path, encoding="utf-8") as file:
                            files[os.path.relpath(path, root)] = file.read()
        pages = (name for name in os.listdir(root) if name.endswith(".md"))
        for path in (*SINGLE, *pages):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                files[path] = file.read()
        return cls(files)

    def cpp(self):
        return {path: text for path, text in sorted(self.files.items())
                if path.endswith((".h", ".cc"))}


BLANKED = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)


def blank(text):
    """C++ without comments, literals and directives, every line where it was."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group())

    return DIRECTIVE.sub(spaces, BLANKED.sub(spaces, text))
