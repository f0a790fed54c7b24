"""The manual against the code: what the code names stands in a page, and links lead somewhere."""
import re


def body(text, opening):
    """What stands between the braces behind `opening`; empty where that is missing."""
    match = re.search(re.escape(opening) + r"[^{]*\{(.*?)\}", text, re.S)
    return re.sub(r"//[^\n]*", "", match.group(1)) if match else ""


def wire_enum(schema, name):
    """(member, number) of an enum of the schema; None is no value that is ever sent."""
    members = re.findall(r"(\w+)\s*=\s*(\d+)", body(schema, f"enum {name} "))
    return [(member, number) for member, number in members if member != "None"]


def messages(schema):
    """`Name{field, field}` for each member of the union."""
    for name in re.findall(r"\w+", body(schema, "union Body")):
        fields = re.findall(r"(\w+)\s*:", body(schema, f"table {name} "))
        yield f"{name}{{{', '.join(fields)}}}"


def close_reasons(header):
    names = re.findall(r"^\s*(\w+),", body(header, "enum class CloseReason"), re.M)
    return [name for name in names if name not in ("none", "count")]


def schema_rows(schema):
    for name, number in wire_enum(schema, "ErrorCode"):
        yield "docs/errors.md", f"| {number} | `{name}` |"
    for enum in ("GoawayReason", "KickReason"):
        for name, number in wire_enum(schema, enum):
            yield "docs/errors.md", f"| `{enum}` | {number} | `{name}` |"
    for message in messages(schema):
        yield "docs/protocol.md", f"`{message}`"


def finds(page, shape, pattern):
    """Names that `pattern` finds in a source, each as it stands on the page."""
    def rows(text):
        for name in re.findall(pattern, text):
            yield page, shape.format(name if isinstance(name, str) else "".join(name))

    return rows


# Where names come from, and how they stand in the manual.
FLAG = r'"(?:-\w,)?(--[a-z-]+)"'
SOURCES = (
    ("fbs/ringtalk.fbs", schema_rows),
    ("src/service/close_reason.h",
     lambda text: (("docs/errors.md", f"| `{name}` |") for name in close_reasons(text))),
    ("src/service/config_keys.cc",
     finds("docs/operations.md", "| `{}` |", r'>\(\s*"([a-z_]+\.[a-z_]+)"')),
    ("src/service/config_keys.cc", finds("docs/operations.md", "`{}", FLAG)),
    ("src/service/config_flags.cc", finds("docs/operations.md", "`{}", FLAG)),
    ("src/service/stats_json.cc", finds("docs/operations.md", "`{}`", r'\{"(\w+)",')),
    ("loadgen/scenario.cc",
     finds("docs/loadgen.md", "| `{}` |", r'(?:WHOLE|REAL)\("([a-z.]+)"|Key\{"([a-z.]+)"')),
    ("loadgen/scenario.cc", finds("docs/loadgen.md", "| `{}` |", r'\n    \{"([a-z]+)",\n')),
    ("loadgen/options.cc", finds("docs/loadgen.md", "`{}", r'add_option\("(--[a-z-]+)"')),
    ("loadgen/report_json.cc", finds("docs/loadgen.md", "`{}`", r'\["(\w+)"\] = ')),
    ("tools/ringtalk/options.cc",
     finds("docs/ringtalk.md", "`{}", r'add_(?:subcommand|option|flag)\("([a-z-]+)"')),
)


def check_manual(tree):
    found = []
    for path, rows in SOURCES:
        if path not in tree.files:
            continue
        wanted = list(rows(tree.files[path]))
        if not wanted:
            found.append(f"{path}:1: tools/lint/manual.py finds no names here any more: mend it")
        for page, text in wanted:
            if text not in tree.files.get(page, ""):
                found.append(f"{page}:1: {path} has what this page lacks: {text}")
    return found


def anchor(heading):
    """How GitHub names a heading."""
    text = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return text.replace(" ", "-")


def leads_somewhere(files, paths, path, target):
    name, _, fragment = target.partition("#")
    parts = path.split("/")[:-1] if name else path.split("/")
    for part in filter(None, name.split("/")):
        if part == "..":
            if not parts:
                return False
            parts.pop()
        elif part != ".":
            parts.append(part)
    resolved = "/".join(parts)
    if resolved not in paths:
        return False
    headings = re.findall(r"^#+ (.*)$", files.get(resolved, ""), re.M)
    return not fragment or fragment in map(anchor, headings)


def check_links(tree):
    found = []
    paths = tree.paths()
    for path, text in sorted(tree.files.items()):
        if not path.endswith(".md"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                if re.match(r"https?:", target):
                    continue
                if not leads_somewhere(tree.files, paths, path, target):
                    found.append(f"{path}:{number}: the link to {target} leads nowhere")
    return found


def check_decisions(tree):
    """One page a number, and each in the index."""
    found, numbers = [], {}
    index = tree.files.get("docs/decisions/README.md", "")
    for path in sorted(tree.files):
        match = re.fullmatch(r"docs/decisions/((\d+)-[\w-]+\.md)", path)
        if not match:
            continue
        name, number = match.groups()
        if number in numbers:
            found.append(f"{path}:1: {numbers[number]} has this number already: take the next one")
        numbers.setdefault(number, name)
        if f"({name})" not in index:
            found.append(f"docs/decisions/README.md:1: the index lacks {name}")
    return found
