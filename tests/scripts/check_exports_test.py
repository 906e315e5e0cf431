"""check_exports.py finds public names without CF_EXPORT, and writes the marks."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'scripts'))
import check_exports  # noqa: E402


def missing(text):
    return [what for _, what in check_exports.missing_marks(check_exports.blanked(text))]


class CheckExports(unittest.TestCase):
    def test_names_with_a_source_file_need_the_mark(self):
        self.assertEqual(missing('namespace a::b {\n'
                                 'double scale(const X& x, const Y& y = {});\n'
                                 'class Base { public: virtual ~Base() = default; };\n'
                                 'class Leaf final : public Base { int f() { return 1; } };\n'
                                 'struct Report { int count = 0; bool good() const; };\n'
                                 'extern const int kTable[3];\n'
                                 '}'), ['scale', 'class Base', 'class Leaf', 'class Report', 'kTable'])

    def test_what_a_header_defines_needs_none(self):
        self.assertEqual(missing('namespace a {\n'
                                 'class Later;\n'
                                 'struct Plain { std::function<int(double)> f = {}; int n = std::max(1, 2); };\n'
                                 'enum class Kind { kOne };\n'
                                 'template <class T>\nT read(const X& x);\n'
                                 'inline int two() { return 2; }\n'
                                 'inline constexpr int kMost = most();\n'
                                 'using Call = int(double);\n'
                                 '// int comment(int);\n'
                                 '}'), [])

    def test_marked_names_are_right(self):
        self.assertEqual(missing('namespace a {\n'
                                 '[[nodiscard]] CF_EXPORT int f(int x);\n'
                                 'class CF_EXPORT B : public A { void g(); };\n'
                                 '}'), [])

    def test_marks_are_written(self):
        text = ('#pragma once\n\n#include <vector>\n\nnamespace a {\n'
                '[[nodiscard]] int f(int x);\nclass B : public A {};\n}\n')
        fixed = check_exports.with_marks(text, check_exports.missing_marks(check_exports.blanked(text)))
        self.assertIn('#include <vector>\n\n#include "contraflow/core/export.h"\n', fixed)
        self.assertIn('[[nodiscard]] CF_EXPORT int f(int x);\nclass CF_EXPORT B : public A {};', fixed)
        self.assertEqual(missing(fixed), [])


if __name__ == '__main__':
    unittest.main()
