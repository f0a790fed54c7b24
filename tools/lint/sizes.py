"""Size ratchets: a header, a source, a function, a line. Exceptions are listed and only shrink."""
import ast
import re

from tree import blank

HEADER_LINES_MAX = 200
SOURCE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100

TEST = re.compile(r"(?:TYPED_)?TEST\w*\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)\s*$")
NAME = re.compile(r"([~\w:]+|operator\s*\S+?)\s*\(")
INIT_LIST = re.compile(r"\)\s*(?:noexcept)?\s*:(?!:)")


def opens(head):
    """What the brace behind `head` opens: a function, a member initializer, or a scope."""
    head = head.strip()
    if not head or re.match(r"(inline\s+)?namespace\b|extern\b\s*$", head):
        return "scope"
    without_template = re.sub(r"^template\s*<.*?>\s*(?=\w)", "", head, flags=re.S)
    if re.match(r"(?:typedef\s+)?(class|struct|union|enum)\b", without_template) and not re.search(
            r"\)\s*(const|noexcept|override|final|\s)*$", head):
        return "scope"
    if "(" not in head or re.match(r"[^(]*=", head.replace("operator", "")):
        return "scope" if "[" not in head else "function"
    if INIT_LIST.search(head) and re.search(r"[\w>]$", head) and "->" not in head.split(":")[-1]:
        return "initializer"
    return "function"


def name_of(head):
    test = TEST.search(head)
    if test:
        return f"{test.group(1)}.{test.group(2)}"
    name = NAME.search(head)
    return name.group(1) if name else "function"


def functions(text):
    """(name, first line, lines) of each function; what is defined inside one belongs to it."""
    code, stack, head_start, line = blank(text), [], 0, 1
    for position, character in enumerate(code):
        if character == "\n":
            line += 1
        elif character == "{":
            inside = any(kind == "function" for kind, *_ in stack)
            head = code[head_start:position]
            kind = "block" if inside else opens(head)
            if stack and stack[-1][0] == "initializer":
                kind = "block"
            first = line - head.strip().count("\n")
            stack.append((kind, first, head))
            if kind != "initializer":
                head_start = position + 1
        elif character == "}" and stack:
            kind, first, head = stack.pop()
            if kind == "function":
                yield name_of(head), first, line - first + 1
            if kind != "initializer":
                head_start = position + 1
        elif character == ";" and not (stack and stack[-1][0] == "initializer"):
            head_start = position + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def oversized(tree):
    """(what, path, name, line, size, limit) of everything beyond its limit."""
    for path, text in sorted(tree.files.items()):
        lines = text.splitlines()
        limit = HEADER_LINES_MAX if path.endswith(".h") else SOURCE_LINES_MAX
        if len(lines) > limit and not path.endswith((".inc", ".md", ".fbs")):
            yield "file", path, "-", 1, len(lines), limit
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX and path.endswith((".h", ".cc", ".py")):
                yield "line", path, "-", number, len(line), COLUMNS_MAX
        found = ()
        if path.endswith((".h", ".cc")):
            found = functions(text)
        elif path.endswith(".py"):
            found = python_functions(text)
        for name, number, size in found:
            if size > FUNCTION_LINES_MAX:
                yield "function", path, name, number, size, FUNCTION_LINES_MAX


def read_ratchet(text):
    """`what path name size` a line; # begins a comment."""
    exceptions = {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            what, path, name, size = words
            exceptions[what, path, name] = int(size)
    return exceptions


def check_sizes(tree, ratchet_text):
    exceptions = read_ratchet(ratchet_text)
    found, seen = [], set()
    for what, path, name, line, size, limit in oversized(tree):
        key = (what, path, name)
        seen.add(key)
        allowed = exceptions.get(key, limit)
        label = f"function {name}" if what == "function" else what
        if size > allowed:
            unit = "columns" if what == "line" else "lines"
            found.append(f"{path}:{line}: {label} has {size} {unit}, {allowed} are allowed")
        elif size < allowed:
            found.append(f"{path}:{line}: {label} shrank to {size}: lower it in ratchet.txt")
    for what, path, name in sorted(set(exceptions) - seen):
        found.append(f"{path}:1: {what} {name} needs no exception any more: drop it in ratchet.txt")
    return found
