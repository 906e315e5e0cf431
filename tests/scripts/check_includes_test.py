"""check_includes.py finds each kind of violation, and nothing in a clean tree."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'scripts'))
import check_includes  # noqa: E402


class CheckIncludes(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.root = pathlib.Path(self._folder.name)
        self.write('contraflow/CMakeLists.txt', '\n'.join(
            f'add_subdirectory({folder})' for folder in ('core', 'networks', 'solvers')))
        self.write('contraflow/core/CMakeLists.txt', 'contraflow_library(core SOURCES error.cpp)')
        self.write('contraflow/networks/CMakeLists.txt',
                   'contraflow_library(networks SOURCES net.cpp DEPENDS core)')
        self.write('contraflow/solvers/CMakeLists.txt',
                   'contraflow_library(solvers\n  SOURCES banach.cpp\n  DEPENDS core)')
        self.write('contraflow/core/error.h', '#pragma once\n')
        self.write('contraflow/networks/net.h', '#include "contraflow/core/error.h"\n')
        self.write('contraflow/solvers/banach.h', '#include <vector>\n')

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def found(self):
        return check_includes.violations(self.root)

    def test_clean_tree(self):
        self.write('cli/main.cpp', '#include "contraflow/solvers/banach.h"\n')
        self.assertEqual(self.found(), [])

    def test_upward_include_names_file_line_and_folders(self):
        self.write('contraflow/core/bad.cpp', '#include <vector>\n#include "contraflow/networks/net.h"\n')
        [text] = self.found()
        self.assertIn('contraflow/core/bad.cpp:2', text)
        self.assertIn('expected core to include only core, got networks', text)

    def test_library_may_not_include_the_command_line(self):
        self.write('cli/options.h', '')
        self.write('contraflow/solvers/bad.cpp', '#include "cli/options.h"\n')
        self.assertIn('got cli, which stands above it', self.found()[0])

    def test_include_without_dependency(self):
        self.write('contraflow/solvers/bad.cpp', '#include "contraflow/networks/net.h"\n')
        self.assertIn("expected networks in DEPENDS", self.found()[0])

    def test_include_not_from_the_root(self):
        self.write('contraflow/solvers/bad.cpp', '#include "banach.h"\n')
        self.assertIn('written from the root', self.found()[0])

    def test_include_of_a_file_that_is_not_there(self):
        self.write('contraflow/solvers/bad.cpp', '#include "contraflow/core/gone.h"\n')
        self.assertIn('expected an existing file', self.found()[0])

    def test_all_of_libtorch(self):
        self.write('contraflow/solvers/bad.h', '#include <torch/torch.h>\n')
        self.assertIn('expected a narrow header', self.found()[0])

    def test_cuda_headers_are_read(self):
        self.write('contraflow/core/cuda/jets.cuh', '#include "contraflow/networks/net.h"\n')
        self.assertIn('got networks, which stands above it', self.found()[0])

    def test_programs_may_include_the_library(self):
        self.write('contraflow/version.h', '')
        self.write('cmake/version.h.in', '')
        self.write('cmake/contraflow.h.in', '')
        self.write('tests/support/near.h', '')
        self.write('tests/core/error_test.cpp',
                   '#include "contraflow/core/error.h"\n#include "tests/support/near.h"\n')
        self.write('examples/all.cpp', '#include "contraflow/contraflow.h"\n')
        self.write('cli/main.cpp', '#include "contraflow/version.h"\n')
        self.assertEqual(self.found(), [])

    def test_programs_keep_to_themselves(self):
        self.write('tests/support/near.h', '')
        self.write('examples/density.cpp', '#include "tests/support/near.h"\n')
        self.write('contraflow/core/error.cpp', '#include "tests/support/near.h"\n')
        below, example = self.found()
        self.assertIn('expected the library, got a file of tests', below)
        self.assertIn('expected examples to include only contraflow', example)

    def test_the_library_does_not_include_all_of_itself(self):
        self.write('cmake/contraflow.h.in', '')
        self.write('contraflow/core/error.cpp', '#include "contraflow/contraflow.h"\n')
        self.assertIn('expected the headers that are used', self.found()[0])

    def test_installed_headers_include_no_internal_one(self):
        self.write('contraflow/networks/CMakeLists.txt',
                   'contraflow_library(networks SOURCES net.cpp DEPENDS core INTERNAL small.h)')
        self.write('contraflow/networks/small.h', '')
        self.write('contraflow/networks/tile/body-inl.h', '')
        self.write('contraflow/networks/small.cpp', '#include "contraflow/networks/small.h"\n')
        self.assertEqual(self.found(), [])
        self.write('contraflow/networks/net.h', '#include "contraflow/networks/small.h"\n'
                   '#include "contraflow/networks/tile/body-inl.h"\n')
        listed, below = self.found()
        self.assertIn('contraflow/networks/net.h:1: "contraflow/networks/small.h"', listed)
        self.assertIn('got an internal one', below)

    def test_an_internal_header_that_is_not_there(self):
        self.write('contraflow/core/CMakeLists.txt',
                   'contraflow_library(core SOURCES error.cpp INTERNAL gone.h)')
        self.assertIn('got gone.h', self.found()[0])


if __name__ == '__main__':
    unittest.main()
