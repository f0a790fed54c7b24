"""clang-format, the version whose output is the house style."""
import concurrent.futures
import os
import re
import shutil
import subprocess

VERSION = 14


def missing():
    """Why formatting cannot be checked here, or None."""
    if shutil.which("clang-format") is None:
        return "clang-format is not installed (./tools/dev setup lint)"
    text = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    version = re.search(r"version (\d+)", text)
    if version is None or int(version.group(1)) != VERSION:
        return f"needs clang-format {VERSION}, found: {text.strip()}"
    return None


def batches(paths, count):
    return [batch for batch in (paths[i::count] for i in range(count)) if batch]


def run(root, paths, arguments):
    def one(batch):
        return subprocess.run(["clang-format", *arguments, *batch], cwd=root,
                              capture_output=True, text=True).stderr

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return "".join(pool.map(one, batches(paths, 4 * (os.cpu_count() or 1))))


def check_format(root, tree):
    errors = run(root, list(tree.cpp()), ["--dry-run", "-Werror"])
    lines = re.findall(r"^(\S+?:\d+):\d+: error: code should", errors, re.M)
    return [f"{line}: not formatted (./tools/dev lint --fix)" for line in dict.fromkeys(lines)]


def fix(root, tree):
    run(root, list(tree.cpp()), ["-i"])
