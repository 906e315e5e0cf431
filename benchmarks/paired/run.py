"""Paired benchmarks: our worker and a peer take turns in one run, at equal threads.

    python -m benchmarks.paired.run [CASE ...] [--rounds 9] [--threads 2] [--write]

One JSON line per case: name, ours_ms, peer_ms, ratio (medians over the rounds; above 1 = ours is
faster), spread (interquartile range of the rounds' ratios), threads, cpu, and facts of the case. A
table follows on standard error. --write appends the lines to benchmarks/results/DATE.jsonl.
"""
import argparse
import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

from benchmarks.paired.worker_process import Worker, WorkerError

ROOT = pathlib.Path(__file__).parents[2]
TARGETS = {'residual_block_exact': 5, 'residual_43d_unbiased': 5, 'idensenet_toy': 30,
           'monotone_toy': 80, 'log_prob_8d': 5, 'inverse_8d': 3, 'gradient_variance_43d': 10,
           'gemm_512': 0.7, 'residual_conv': 2, 'residual_conv_bfloat16': 4, 'residual_conv_tf32': 2,
           'conv_variance': 3, 'conv_rate': 0.6}
VARIANCES = ('gradient_variance_43d', 'conv_variance')  # variance x time
RATES = ('gemm_512', 'conv_rate')                       # share of the machine's best product rate
SECONDS_A_TURN = 1.0
LONG_TURN = 20.0  # seconds: one iteration of that length is a round of its own
MOST_ITERATIONS = 200
LEAST_ITERATIONS = {'gradient_variance_43d': 40, 'conv_variance': 15}  # a variance needs samples
PASSED_ON = ('batch', 'rows', 'chunk', 'dim', 'blocks', 'tolerance', 'true_error')


def cpu_name():
    """Model and instruction set, as far as the system tells."""
    try:
        lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(':', 1) for line in lines if ':' in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get('flags', '').split()
    isa = next((name for name in ('avx512f', 'avx2') if name in flags), '')
    return f'{fields.get("model name", platform.machine())} family {fields.get("cpu family", "?")} ' \
           f'model {fields.get("model", "?")} {isa}'.strip()


def commit():
    done = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() or 'unknown'


def quartile_spread(ratios):
    """Distance between the quartiles."""
    if len(ratios) < 2:
        return 0.0
    low, _, high = statistics.quantiles(ratios, n=4, method='inclusive')
    return high - low


def iterations_for(ms):
    """As many as fit into a turn, so that both sides get about the same time."""
    return max(1, min(MOST_ITERATIONS, int(1e3 * SECONDS_A_TURN / max(ms, 1e-3))))


def commands(name, options, model):
    """(ours, peer) as argument lists."""
    common = [name, '--threads', str(options.threads), '--seed', str(options.seed)]
    for key in PASSED_ON:
        value = getattr(options, key)
        if value is not None:
            common += ['--' + key.replace('_', '-'), str(value)]
    ours = [str(pathlib.Path(options.build).resolve() / 'benchmarks/paired/contraflow_bench'), *common,
            '--export', model]
    for key in ('train_steps', 'checkpoint'):
        if getattr(options, key) is not None:
            ours += ['--' + key.replace('_', '-'), str(getattr(options, key))]
    peer = [sys.executable, '-m', 'benchmarks.baselines.worker', *common, '--model', model]
    return ours, peer + (['--channels-last', '1'] if options.channels_last else [])


def alternate(ours, peer, name, rounds):
    """Replies of both sides, ABAB..., after a warm-up that also sets the iterations."""
    sides = (ours, peer)
    counts, first = [], []
    for side in sides:
        reply = side.ask(1)
        if reply['ms'] < 1e3 * SECONDS_A_TURN:  # else a first iteration's own costs do not show
            reply = side.ask(1)
        counts.append(max(iterations_for(reply['ms']), LEAST_ITERATIONS.get(name, 1)))
        first.append(reply)
    if rounds == 1 and all(reply['ms'] > 1e3 * LONG_TURN for reply in first):
        return tuple([reply] for reply in first)
    replies = ([], [])
    for _ in range(rounds):
        for side, count, kept in zip(sides, counts, replies):
            kept.append(side.ask(count))
    return replies


def peer_milliseconds(name, reply, hello):
    """A share of the best rate: what our operations would take at the best rate that was measured in the same turn."""
    return 1e3 * hello['gflop'] / reply['gflops'] if name in RATES else reply['ms']


def facts_of(name, ours, peer, hello):
    """What a case tells beyond its times; the last reply is the most complete."""
    mine, theirs = ours[-1], peer[-1]
    if name in RATES:
        best = max(peer, key=lambda reply: reply['gflops'])
        return {'gflop': hello['gflop'], 'ours_gflops': mine['gflops'],
                'best_gflops': best['gflops'], 'best_path': best['path']}
    if name in VARIANCES:
        return {'ours_variance': mine['variance'], 'peer_variance': theirs['variance'],
                'samples': mine['samples'], 'peer_samples': theirs['samples']}
    kept = ('true_error', 'tolerance', 'rows', 'probes_ms', 'exact_trace_ms')
    facts = {f'ours_{key}': mine[key] for key in kept if key in mine}
    facts.update({f'peer_{key}': theirs[key] for key in kept if key in theirs})
    if 'rows' in hello:
        facts['rows'] = hello['rows']
    return facts


def summary(name, replies, hellos, threads):
    """The JSON line of a case."""
    ours, peer = replies
    ours_ms = [r['ms'] for r in ours]
    peer_ms = [peer_milliseconds(name, r, hellos[0]) for r in peer]
    ratios = [p / o for o, p in zip(ours_ms, peer_ms)]
    line = {'name': name, 'ours_ms': statistics.median(ours_ms), 'peer_ms': statistics.median(peer_ms),
            'ratio': statistics.median(ratios), 'spread': quartile_spread(ratios), 'threads': threads,
            'cpu': cpu_name(), 'dtype': [h['dtype'] for h in hellos], 'rounds': len(ours),
            **facts_of(name, ours, peer, hellos[0])}
    if name in VARIANCES:  # variance x time, the cost of a given precision
        line['time_ratio'] = line['ratio']
        factor = line['peer_variance'] / line['ours_variance']
        line['ratio'], line['spread'] = line['ratio'] * factor, line['spread'] * factor
    return line


def run_case(name, options):
    with tempfile.TemporaryDirectory() as folder:
        ours_command, peer_command = commands(name, options, f'{folder}/model.safetensors')
        workers = []
        try:
            workers.append(Worker('ours', ours_command, options.threads, ROOT, options.timeout))
            workers.append(Worker('peer', peer_command, options.threads, ROOT, options.timeout))
            replies = alternate(*workers, name, options.rounds)
        finally:
            for worker in workers:
                worker.close()
    return summary(name, replies, [w.hello for w in workers], options.threads)


def print_table(lines):
    print(f'\n{"case":24}{"ours ms":>10}{"peer ms":>10}{"ratio":>9}{"spread":>9}{"wanted":>9}',
          file=sys.stderr)
    for line in lines:
        print(f'{line["name"]:24}{line["ours_ms"]:10.2f}{line["peer_ms"]:10.2f}{line["ratio"]:9.2f}'
              f'{line["spread"]:9.2f}{TARGETS[line["name"]]:>9}', file=sys.stderr)


def parser():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('cases', nargs='*', metavar='CASE', help=', '.join(TARGETS) + ' (default: all)')
    p.add_argument('--build', default=str(ROOT / 'build/release'), help='folder of the build')
    p.add_argument('--rounds', type=int, default=9)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--write', action='store_true', help='append to benchmarks/results/DATE.jsonl')
    p.add_argument('--timeout', type=float, default=1800.0, help='seconds for one reply')
    p.add_argument('--channels-last', action='store_true',
                   help="the peer's convolutions in that order of axes, which the authors do not use")
    p.add_argument('--checkpoint', help='weights of a run of ours, for one case of its shape')
    for name, kind in (('train-steps', int), ('batch', int), ('rows', int), ('chunk', int), ('dim', int),
                       ('blocks', int), ('tolerance', float), ('true-error', float)):
        p.add_argument(f'--{name}', type=kind)
    return p


def main():
    p = parser()
    options = p.parse_args()
    names = options.cases or list(TARGETS)
    for name in names:
        if name not in TARGETS:
            p.error(f'CASE: expected one of {", ".join(TARGETS)}, got {name!r}')
    lines, failed = [], False
    for name in names:
        print(f'[bench] {name}', file=sys.stderr)
        try:
            line = {**run_case(name, options), 'commit': commit()}
        except (WorkerError, OSError) as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        lines.append(line)
        print(json.dumps(line), flush=True)
    if lines:
        print_table(lines)
    if options.write and lines:
        folder = ROOT / 'benchmarks' / 'results'
        folder.mkdir(exist_ok=True)
        with (folder / f'{datetime.date.today()}.jsonl').open('a') as file:
            file.writelines(json.dumps(line) + '\n' for line in lines)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
