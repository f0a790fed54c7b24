#!/usr/bin/env python3
"""Plants each violation in a tree of its own and sees it found; speaks TAP."""
import sys

import layers
import manual
import references
import sizes
import words
from tree import Tree, blank

HEADER = "// {0}: public. Something.\n#pragma once\n"


def tree(**files):
    """tree(src__base__a_h="text"): __ is a folder, the last _ begins the extension."""
    named = {}
    for key, text in files.items():
        stem, _, extension = key.replace("__", "/").rpartition("_")
        named[f"{stem}.{extension}"] = text
    return Tree(named)


def function_of(lines):
    return "void f(int a) {\n" + "  a();\n" * (lines - 2) + "}\n"


def includes(**files):
    return layers.check_includes(tree(**files))


def test_a_lower_layer_must_not_include_an_upper_one():
    upper = {"src__service__s_h": ""}
    assert includes(src__base__b_cc='#include "service/s.h"\n', **upper)
    assert includes(src__ring__r_cc='#include "proto/p.h"\n', src__proto__p_h="")
    assert includes(loadgen__l_cc='#include "service/s.h"\n', **upper)
    assert includes(src__main_cc='#include "loadgen/l.h"\n', loadgen__l_h="")
    assert includes(src__base__b_cc='#include "tests/t.h"\n', tests__t_h="")
    assert not includes(src__main_cc='#include "service/s.h"\n', **upper)
    assert not includes(tests__service__t_cc='#include "service/s.h"\n', **upper)
    assert not includes(src__service__t_cc='#include "base/b.h"\n', src__base__b_h="")


def test_the_service_sees_only_interfaces_of_store_and_cluster():
    files = {"src__store__store_h": "", "src__store__sqlite_h": ""}
    assert not includes(src__service__s_cc='#include "store/store.h"\n', **files)
    assert includes(src__service__s_cc='#include "store/sqlite.h"\n', **files)


def test_an_include_must_be_a_file():
    assert includes(src__base__b_cc='#include "b.h"\n', src__base__b_h="")


def test_libraries_stay_where_they_belong():
    assert includes(src__service__s_cc="#include <sqlite3.h>\n")
    assert not includes(src__store__s_cc="#include <sqlite3.h>\n")
    assert includes(src__ring__epoll_proactor_cc="#include <liburing.h>\n")
    assert not includes(src__ring__uring_proactor_h="#include <liburing.h>\n")
    assert includes(src__service__s_h="#include <nlohmann/json.hpp>\n")
    assert not includes(src__service__s_cc="#include <nlohmann/json.hpp>\n")
    assert includes(src__base__b_cc="#include <unheard_of.h>\n")
    system = "#include <vector>\n#include <sys/uio.h>\n#include <time.h>\n"
    assert not includes(src__base__b_cc=system)


def test_a_cycle_is_found():
    assert layers.check_cycles(tree(src__base__a_h='#include "base/b.h"\n',
                                    src__base__b_h='#include "base/a.h"\n'))
    assert not layers.check_cycles(tree(src__base__a_h='#include "base/b.h"\n', src__base__b_h=""))


def test_sizes():
    def found(text, ratchet="", name="src__base__a_cc"):
        return sizes.check_sizes(tree(**{name: text}), ratchet)

    assert found("x;\n" * 501) and not found("x;\n" * 500)
    assert found("x;\n" * 201, name="src__base__a_h")
    assert not found("x;\n" * 200, name="src__base__a_h")
    assert found("y" * 101 + "\n") and not found("y" * 100 + "\n")
    assert found(function_of(71)) and not found(function_of(70))
    nested = "namespace n {\nclass C {\n public:\n" + function_of(71) + "};\n}\n"
    assert found(nested)
    assert found("C::C() : a_{1}, b_(2) " + function_of(71)[len("void f(int a) "):])
    assert found("def f():\n" + "    x()\n" * 70, name="tools__a_py")
    many_small = "namespace n {\n" + function_of(40) * 3 + "}\n"
    assert not found(many_small)


def test_a_ratchet_only_shrinks():
    def found(lines, allowed):
        return sizes.check_sizes(tree(src__a_cc=function_of(lines)),
                                 f"function src/a.cc f {allowed}\n")

    assert not found(80, 80)
    assert found(81, 80)
    assert found(79, 80)
    assert found(60, 80)


def test_words():
    mark = "TO" + "DO"
    assert words.check_words(tree(src__a_cc=f"// {mark}: later\n"))
    assert words.check_words(tree(src__a_cc="using namespace std;\n"))
    assert not words.check_words(tree(src__a_cc="// done\nusing std::string;\n"))


def test_headers():
    good = HEADER.format("src/base/a.h")
    assert not words.check_headers(tree(src__base__a_h=good))
    assert words.check_headers(tree(src__base__a_h=HEADER.format("src/base/b.h")))
    assert words.check_headers(tree(src__base__a_h="#pragma once\n"))
    assert words.check_headers(tree(src__base__a_h=good.replace("public. ", "")))
    assert not words.check_headers(tree(loadgen__a_h="// loadgen/a.h: it.\n#pragma once\n"))
    assert words.check_headers(tree(src__base__a_h=good.replace("#pragma once", "")))
    assert words.check_headers(tree(src__base__a_h=good.replace("\n", "\n" + "//\n" * 20, 1)))


def test_what_the_code_names_stands_in_the_manual():
    schema = ("enum ErrorCode : ushort {\n  None = 0,\n  BadFrame = 1,\n}\n"
              "table Ok { more: bool; } // done\ntable Pull {\n  a: ulong;\n  b: [ubyte];\n}\n"
              "union Body {\n  Ok, // yes\n  Pull,\n}\n")

    def found(**pages):
        return len(manual.check_manual(tree(fbs__ringtalk_fbs=schema, **pages)))

    errors, protocol = "| 1 | `BadFrame` |\n", "`Ok{more}` `Pull{a, b}`\n"
    assert found(docs__errors_md=errors, docs__protocol_md=protocol) == 0
    assert found(docs__errors_md="| 2 | `BadFrame` |\n", docs__protocol_md=protocol) == 1
    assert found(docs__errors_md=errors, docs__protocol_md="`Ok{}` `Pull{a}`\n") == 2
    assert found() == 3
    reasons = ("enum class CloseReason : uint8_t {\n"
               "  none,  // open\n  kicked,  // out\n  count,\n};")
    assert manual.close_reasons(reasons) == ["kicked"]
    keys = 'number<&A::b>("a.b", "-b,--bee", true, "text"),\n'
    assert len(manual.check_manual(tree(src__service__config_keys_cc=keys))) == 2
    # A source in which nothing is found any more is a check that checks nothing.
    assert manual.check_manual(tree(src__service__config_flags_cc="int x;\n"))


def test_links_lead_somewhere():
    def found(text):
        return manual.check_links(tree(docs__a_md=text, docs__b_md="# One, two\n", README_md=""))

    assert not found("[b](b.md) [top](../README.md) [all](../docs) [web](https://a.b/c.md)\n")
    assert not found("[b](b.md#one-two) `[no](link.md)`\n## Here\n[here](#here)\n")
    assert found("[b](c.md)\n") and found("[b](b.md#three)\n") and found("[b](../../b.md)\n")
    assert found("[here](#there)\n")


def test_comments_name_what_is_there():
    def found(text, path="src/b.cc"):
        others = ["src/b.cc", "src/ring/uring_a.h", "docs/a.md", "tests/corpus/one"]
        return references.check_references(Tree({path: text}, others))

    assert not found("// docs/a.md, a.md; src/ring, src/ring/uring_*, tests/corpus/one.\n")
    assert not found("// net/core/sock.c, <other/a.md>, _absent.cc\nint a;  // b.cc\n")
    assert not found('f("docs/none.md");\n')
    assert not found("`src/b.cc` none.md\n", "docs/c.md")
    assert found("// docs/none tells\n") and found("  // as none.md has it\n")
    assert found("int a;  // src/ring/epoll_*\n") and found("# none.md\n", "tools/a.py")
    assert found("see `src/none.cc`\n", "docs/c.md")


def test_decisions_have_one_number_each_and_an_index():
    def found(**pages):
        named = {f"docs/decisions/{name}.md": "" for name in ("001-a", "002-b")}
        return manual.check_decisions(Tree({**named, **pages}))

    index = {"docs/decisions/README.md": "[001](001-a.md) [002](002-b.md)\n"}
    assert not found(**index)
    assert len(found()) == 2
    assert len(found(**index, **{"docs/decisions/002-c.md": ""})) == 2


def test_blank_keeps_lines_and_drops_braces_in_literals():
    text = "char c = '{'; // {\nauto s = \"{\\\"{\"; /* {\n{ */ int n = 1'000;\n#define X {\n"
    assert blank(text).count("\n") == text.count("\n")
    assert "{" not in blank(text) and "000" in blank(text)


def main():
    failed = 0
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            try:
                test()
                print(f"ok - {name[5:]}")
            except AssertionError as error:
                failed += 1
                line = error.__traceback__.tb_next.tb_lineno
                print(f"# self_test.py:{line}\nnot ok - {name[5:]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
