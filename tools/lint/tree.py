"""The files that are checked, as text. Checks see nothing else, so that their tests can plant."""
import os
import re

FOLDERS = ("src", "loadgen", "tools", "bench", "tests", "docs", "fbs")
KINDS = (".h", ".cc", ".inc", ".in", ".py", ".sh", ".md", ".fbs")
SINGLE = ("tools/dev", "LICENSE")


class Tree:
    """Path from the root -> text, with / between folders; `others` are paths alone."""

    def __init__(self, files, others=()):
        self.files = files
        self.others = frozenset(others)

    @classmethod
    def read(cls, root):
        files, others = {}, set()
        for folder in FOLDERS:
            for directory, _, names in os.walk(os.path.join(root, folder)):
                for name in names:
                    path = os.path.join(directory, name)
                    others.add(os.path.relpath(path, root))
                    if name.endswith(KINDS):
                        with open(path, encoding="utf-8") as file:
                            files[os.path.relpath(path, root)] = file.read()
        pages = (name for name in os.listdir(root) if name.endswith(".md"))
        for path in (*SINGLE, *pages):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                files[path] = file.read()
        return cls(files, others)

    def paths(self):
        """Every file, also those that are not read, and every folder."""
        files = self.others | set(self.files)
        return files | {path[:at] for path in files for at, c in enumerate(path) if c == "/"}

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
