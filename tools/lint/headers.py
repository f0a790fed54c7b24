#!/usr/bin/env python3
"""Compiles each header alone: headers.py COMPILER BUILD_DIR. Part of the ninja target `headers`."""
import concurrent.futures
import os
import subprocess
import sys

from tree import Tree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(compiler, build):
    headers = [path for path in Tree.read(ROOT).cpp() if path.endswith(".h")]
    flags = ["-std=c++20", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
             "-Wno-missing-field-initializers", "-fsyntax-only",
             "-I.", "-Isrc", "-I" + os.path.join(build, "fbs"), "-x", "c++", "-"]

    def compile_alone(path):
        # Twice: the guard has to work, too.
        text = f'#include "{path}"\n' * 2
        result = subprocess.run(compiler.split() + flags, input=text, cwd=ROOT, text=True,
                                capture_output=True)
        return path, result

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, result in pool.map(compile_alone, headers):
            if result.returncode != 0:
                failed += 1
                print(f"{path} does not compile alone:\n{result.stderr}")
    print(f"{len(headers) - failed} of {len(headers)} headers compile alone")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
