"""The table of layers (ARCHITECTURE.md): who may include whom, and which library is used where."""
import fnmatch
import re

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

# A part may include itself and what is listed here.
MAY_INCLUDE = {
    "src/base": (),
    "src/ring": ("src/base",),
    "src/proto": ("src/base",),
    "src/check": ("src/base",),
    "src/store": ("src/base", "src/proto"),
    "src/cluster": ("src/base", "src/proto", "src/ring"),
    "src/client": ("src/base", "src/proto"),
    # Of store and cluster only what the chat needs of them, never how it is done.
    "src/service": ("src/base", "src/ring", "src/proto", "src/store/store.h",
                    "src/store/name_key.h", "src/cluster/directory.h", "src/cluster/relay.h"),
    "src": ("src/base", "src/ring", "src/proto", "src/check", "src/store", "src/cluster",
            "src/client", "src/service"),
    "loadgen": ("src/base", "src/ring", "src/proto", "src/check", "src/client"),
    "tools": ("src/base", "src/ring", "src/proto", "src/check", "src/client"),
    # Starting a server is the same work for a test and for a benchmark.
    "bench": ("src", "loadgen", "tools", "tests/support"),
    "tests": ("src", "loadgen", "tools"),
}

# Header of a library -> the files that may include it; but for HEADERS_ALLOWED only in a .cc file.
LIBRARIES = {
    "liburing.h": ("src/ring/uring_*", "bench/*", "tests/ring/uring_*"),
    "linux/io_uring.h": ("src/ring/uring_*", "bench/*", "tests/ring/uring_*"),
    "sys/epoll.h": ("src/ring/epoll_*", "bench/*", "tests/ring/*"),
    "sqlite3.h": ("src/store/*", "bench/*", "tests/store/*", "tests/e2e/*"),
    "flatbuffers/*": ("src/proto/*", "src/client/*", "src/service/*", "src/cluster/*", "bench/*",
                      "tests/*", "loadgen/*", "tools/*"),
    "ringtalk_generated.h": ("src/proto/*", "src/client/*", "src/service/*", "src/cluster/*",
                             "bench/*", "tests/*", "loadgen/*", "tools/*"),
    "sodium.h": ("src/main.cc", "src/proto/*", "src/store/*", "src/service/*", "tests/*"),
    "boost/*": ("*",),
    "CLI/*": ("src/main.cc", "src/service/*", "loadgen/*", "tools/*", "bench/*"),
    "toml++/*": ("src/service/*", "loadgen/*"),
    "nlohmann/*": ("src/main.cc", "src/service/*", "loadgen/*", "tools/*", "bench/*", "tests/*"),
    "spdlog/*": ("src/base/log*", "src/main.cc"),
    "fmt/*": ("*",),
    "zlib.h": ("loadgen/*", "tests/loadgen/*"),
    "utf8proc.h": ("src/store/*", "src/service/*", "src/proto/*"),
    "gtest/*": ("tests/*",),
    "gmock/*": ("tests/*",),
    "seccomp.h": ("tests/*",),
    "benchmark/*": ("bench/*",),
    "hiredis/*": ("src/cluster/*", "bench/*"),
    "sanitizer/*": ("src/ring/*", "src/base/*", "tests/*"),
}
HEADERS_ALLOWED = ("boost/unordered/*", "flatbuffers/*", "ringtalk_generated.h", "gtest/*",
                   "gmock/*", "benchmark/*", "sanitizer/*", "seccomp.h", "linux/io_uring.h")
# liburing.h has structs that a class of src/ring/uring_* holds by value.
HEADER_EXCEPTIONS = {"liburing.h": ("src/ring/uring_*", "bench/*", "tests/ring/uring_*"),
                     "sqlite3.h": ("src/store/sqlite_*",)}

PLATFORM = ("sys/*", "netinet/*", "arpa/*", "net/*", "linux/*", "asm/*")
C_HEADERS = set("""assert ctype dirent errno fcntl getopt glob grp ifaddrs immintrin inttypes limits
malloc math netdb poll pthread pwd sched semaphore signal spawn stdarg stddef stdint stdio stdlib
string strings syscall syslog termios time unistd""".split())


def part_of(path):
    """src/ring/x.cc -> src/ring; src/main.cc -> src; loadgen/run/x.h -> loadgen."""
    folders = path.split("/")[:-1]
    return "/".join(folders[:2]) if folders[0] == "src" else folders[0]


def resolve(target, files, path):
    """The file that a quoted include means: from src, from the root; in tests also beside it."""
    beside = path.rsplit("/", 1)[0] + "/" + target if path.startswith("tests/") else target
    for candidate in ("src/" + target, target, beside):
        # What the build makes of a .in counts as the file that it becomes.
        if candidate in files or candidate + ".in" in files:
            return candidate
    return None


def allowed(path, target):
    part = part_of(path)
    return any(target == other or target.startswith(other + "/")
               for other in (part,) + MAY_INCLUDE.get(part, ()))


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def check_library(path, header):
    for pattern, users in LIBRARIES.items():
        if fnmatch.fnmatchcase(header, pattern):
            if not matches(path, users):
                return f"<{header}> belongs to {', '.join(users)}"
            if path.endswith(".h") and not matches(header, HEADERS_ALLOWED) and not matches(
                    path, HEADER_EXCEPTIONS.get(pattern, ())):
                return f"<{header}> is a heavy header: include it in a .cc file"
            return None
    stem = header[:-2] if header.endswith(".h") else header
    standard = "/" not in header and (stem in C_HEADERS or not header.endswith((".h", ".hpp")))
    if standard or matches(header, PLATFORM):
        return None
    return f"<{header}> is not in the table of libraries (tools/lint/layers.py)"


def check_includes(tree):
    """Every include against the table of layers and the table of libraries."""
    found = []
    for path, text in tree.cpp().items():
        for match in INCLUDE.finditer(text):
            quote, header = match.groups()
            line = text.count("\n", 0, match.start()) + 1
            problem = None
            if quote == "<" or header in LIBRARIES:
                problem = check_library(path, header)
            else:
                target = resolve(header, tree.files, path)
                if target is None:
                    problem = f'"{header}" is no file (write its path from src or from the root)'
                elif not allowed(path, target):
                    problem = f'{part_of(path)} must not include "{header}" (table of layers)'
            if problem:
                found.append(f"{path}:{line}: {problem}")
    return found


def check_cycles(tree):
    """No header includes itself over others."""
    edges = {path: [target for _, header in INCLUDE.findall(text)
                    for target in [resolve(header, tree.files, path)] if target]
             for path, text in tree.cpp().items()}
    found, state = [], {}

    def visit(path, trail):
        state[path] = "open"
        for target in edges.get(path, ()):
            if state.get(target) == "open":
                cycle = trail[trail.index(target):] + [target]
                found.append(f"{path}:1: include cycle: {' -> '.join(cycle)}")
            elif target not in state:
                visit(target, trail + [target])
        state[path] = "done"

    for path in edges:
        if path not in state:
            visit(path, [path])
    return found
