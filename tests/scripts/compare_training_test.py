"""compare_training.py finds every kind of difference, and none between equal checkpoints."""
import json
import pathlib
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'scripts'))
import compare_training  # noqa: E402


def checkpoint(tensors, metadata):
    """Bytes of a safetensors file of float32 vectors."""
    header, data = {'__metadata__': metadata}, b''
    for name, values in tensors.items():
        packed = struct.pack(f'<{len(values)}f', *values)
        header[name] = {'dtype': 'F32', 'shape': [len(values)], 'data_offsets': [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + data


class CompareTraining(unittest.TestCase):
    def compared(self, old, new):
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / side for side in ('old', 'new')]
            for path, tensors in zip(paths, (old, new)):
                path.write_bytes(checkpoint(tensors, {'format_version': path.name}))
            return compare_training.compare(*map(compare_training.read_tensors, paths))

    def test_equal_weights_are_identical_whatever_the_metadata(self):
        self.assertEqual(self.compared({'w': [1, 2]}, {'w': [1, 2]}), [])

    def test_the_largest_difference_is_named(self):
        [found] = self.compared({'v': [1, 2], 'w': [1, 2]}, {'v': [1, 2.5], 'w': [3, 2]})
        self.assertEqual(found, 'largest difference 2 in w')

    def test_a_lone_bit_counts(self):
        self.assertIn('in w', self.compared({'w': [0.0]}, {'w': [-0.0]})[0])

    def test_shapes_and_names_must_agree(self):
        self.assertIn('against', self.compared({'w': [1, 2]}, {'w': [1]})[0])
        self.assertEqual(self.compared({'v': [1]}, {'w': [1]}), ['v only in old', 'w only in new'])

    def test_renamed_tensors_are_matched(self):
        compare_training.RENAMES.append((r'^weights\.', 'flow.'))
        self.addCleanup(compare_training.RENAMES.clear)
        self.assertEqual(self.compared({'weights.w': [1]}, {'flow.w': [1]}), [])

    def test_every_config_has_a_name_data_preset_and_settings(self):
        self.assertEqual(len(compare_training.CONFIGS), 10)


if __name__ == '__main__':
    unittest.main()
