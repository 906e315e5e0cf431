"""Tests of the benchmarks' harness: the statistics, the worker protocol, the scaling fit."""
import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import scaling  # noqa: E402
from benchmarks.paired import run  # noqa: E402
from benchmarks.paired.worker_process import Worker, WorkerError  # noqa: E402

# A worker that takes a fixed time per iteration and counts what it was asked.
FAKE = '''
import json, sys
print(json.dumps({"case": "fake", "dtype": "float32", "gflop": 2.0}), flush=True)
asked = 0
for line in sys.stdin:
    request = json.loads(line)
    if request.get("memory"):
        print(json.dumps({"peak_bytes": 4096}), flush=True)
        continue
    asked += 1
    print(json.dumps({"ms": MS, "iterations": request["iterations"], "asked": asked}), flush=True)
'''


def fake(ms, timeout=20.0):
    return Worker('fake', [sys.executable, '-c', FAKE.replace('MS', str(ms))], 1, ROOT, timeout)


class WorkerTest(unittest.TestCase):
    def test_alternates_and_fills_a_turn(self):
        ours, peer = fake(10.0), fake(50.0)
        try:
            replies = run.alternate(ours, peer, 'residual_block_exact', 3)
            self.assertEqual(ours.peak(), 4096)
        finally:
            ours.close()
            peer.close()
        self.assertEqual([len(r) for r in replies], [3, 3])
        self.assertEqual([r['iterations'] for r in replies[0]], [100] * 3)
        self.assertEqual([r['iterations'] for r in replies[1]], [20] * 3)
        self.assertEqual(replies[0][0]['asked'], 3)  # two requests of warm-up came before

    def test_failure_carries_the_workers_words(self):
        with self.assertRaisesRegex(WorkerError, 'exit code 3(.|\n)*no such model'):
            Worker('peer', [sys.executable, '-c',
                            'import sys; print("no such model", file=sys.stderr); sys.exit(3)'],
                   1, ROOT, 20.0)

    def test_silence_is_an_error(self):
        with self.assertRaisesRegex(WorkerError, 'got none'):
            Worker('ours', [sys.executable, '-c', 'import sys; sys.stdin.read()'], 1, ROOT, 0.3)


class SummaryTest(unittest.TestCase):
    def test_ratio_is_the_median_of_the_rounds(self):
        replies = ([{'ms': 1.0}, {'ms': 2.0}, {'ms': 10.0}], [{'ms': 6.0}, {'ms': 8.0}, {'ms': 20.0}])
        hellos = [{'dtype': 'float32'}] * 2
        line = run.summary('idensenet_toy', replies, hellos, 2)
        self.assertEqual((line['ours_ms'], line['peer_ms'], line['ratio']), (2.0, 8.0, 4.0))
        self.assertEqual(line['spread'], 2.0)  # ratios 6, 4, 2
        self.assertLessEqual({'name', 'threads', 'cpu'}, set(line))
        json.dumps(line)

    def test_variance_counts_with_time(self):
        ours = [{'ms': 2.0, 'variance': 0.5, 'samples': 9}]
        peer = [{'ms': 4.0, 'variance': 3.0, 'samples': 9}]
        line = run.summary('gradient_variance_43d', (ours, peer), [{'dtype': 'float32'}] * 2, 2)
        self.assertEqual((line['time_ratio'], line['ratio']), (2.0, 12.0))

    def test_gemm_ratio_is_the_share_of_the_best_rate(self):
        ours = [{'ms': 20.0, 'gflops': 100.0}]
        peer = [{'ms': 1.0, 'gflops': 200.0, 'path': 'mm'}]
        line = run.summary('gemm_512', (ours, peer), [{'dtype': 'float32', 'gflop': 2.0}] * 2, 2)
        self.assertEqual(line['ratio'], 0.5)


class ScalingTest(unittest.TestCase):
    def test_slope_of_a_power(self):
        sizes = [1, 2, 4, 8]
        self.assertAlmostEqual(scaling.slope(sizes, [3 * s ** 1.5 for s in sizes]), 1.5)

    def test_plot_has_a_dot_per_size(self):
        line = {'name': 'scaling_blocks', 'sizes': [1, 2, 4], 'ms': [0.9, 2.1, 3.9], 'slope': 1.06}
        text = scaling.svg([line, {**line, 'name': 'scaling_batch'}])
        self.assertEqual(text.count('<circle'), 6)


if __name__ == '__main__':
    unittest.main()
