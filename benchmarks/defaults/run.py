"""Defaults against each other, each given the same minutes: test log-likelihoods side by side.

    python -m benchmarks.defaults.run --build DIR [--tables DIR] [--earlier PROGRAM] [--minutes 1] [DATA ...]

Data: the toys and digits that the program brings, and, with --tables, weather and flights (weather.csv.gz
and flights.csv.gz of nycflights13, complete rows of their numeric columns with uniform noise of each
column's lattice).

Variants: see VARIANTS; "earlier program" is another build with its own defaults, stopped after the minutes.
A line each, as JSON, and a table at the end. Test rows are those that no variant trained on or was chosen
by, of tables the same for all; the error is that of the mean over them.
"""
import argparse
import csv
import gzip
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import numpy

TOYS = ('8gaussians', 'moons', 'pinwheel', 'checkerboard', '2spirals')
BEFORE = ['--set', 'training.schedule.kind=constant', '--set', 'training.schedule.warmup_steps=0',
          '--set', 'training.ema_decay=0', '--set', 'training.patience=0',
          '--set', 'training.adam.learning_rate=0.001']
PLAIN = ['--set', 'model.marginals=none']
VARIANTS = {
    'before': BEFORE + PLAIN,          # what a config without a word meant
    'default': [],                     # what it means now
    'no curves': PLAIN,                # the schedule alone
    'curves, before': BEFORE,          # the curves alone
    'front only': ['--set', 'model.blocks=1', '--set', 'model.net.depth=1', '--set', 'model.net.growth=2'],
}
TABLES = {
    'weather': ('temp', 'dewp', 'humid', 'wind_speed', 'pressure', 'visib'),
    'flights': ('sched_dep_time', 'dep_delay', 'arr_delay', 'air_time', 'distance'),
}
MOST_ROWS = 60_000
HELD_OUT = 0.1
EARLIER = 'earlier program'


def lattice(values):
    """The commonest gap between neighbouring values of a column."""
    gaps, counts = numpy.unique(numpy.round(numpy.diff(numpy.unique(values)), 9), return_counts=True)
    return gaps[counts.argmax()]


def write_table(source, columns, target):
    """The complete rows of these columns, with uniform noise of each column's lattice from a seed."""
    with gzip.open(source, 'rt', encoding='utf-8') as lines:
        rows = [[row[name] for name in columns] for row in csv.DictReader(lines)]
    values = numpy.array([[float(cell) for cell in row] for row in rows if 'NA' not in row])
    random = numpy.random.default_rng(0)
    if len(values) > MOST_ROWS:
        values = values[numpy.sort(random.choice(len(values), MOST_ROWS, replace=False))]
    widths = numpy.array([lattice(column) for column in values.T])
    values += random.uniform(size=values.shape) * widths
    held_out = random.uniform(size=len(values)) < HELD_OUT
    for part, rows in ((target, values[~held_out]), (held_out_of(target), values[held_out])):
        numpy.savetxt(part, rows, fmt='%.17g', delimiter=',', header=','.join(columns), comments='')


def held_out_of(table):
    return table.with_suffix('.test.csv')


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f'{" ".join(map(str, arguments))}\n{done.stderr}')
    return done.stdout


def run_until(seconds, program, *arguments):
    """A training that is asked to stop after so long, for programs that know no budget."""
    with subprocess.Popen([program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
    if process.returncode not in (0, 128 + signal.SIGINT):
        sys.exit(f'{" ".join(map(str, arguments))}\n{err.decode()}')
    return out


def train(program, variant, data, options, minutes, folder):
    """The number of steps."""
    words = ('train', '--data', data, '--out', folder, '--json')
    if variant == EARLIER:
        return json.loads(run_until(60 * minutes, program, *words, '--set', 'training.steps=1000000'))['step']
    return json.loads(run(program, *words, '--minutes', minutes, *options))['step']


def test(program, data, folder):
    """Rows, mean and its error: of a table those held out of its file, else the test of the run."""
    if not isinstance(data, pathlib.Path):
        report = json.loads(run(program, 'evaluate', folder, '--json'))
        loss = report['nll_nats']
        return {'rows': report['rows'], 'log_prob': -loss['mean'], 'standard_error': loss['standard_error']}
    run(program, 'score', folder, held_out_of(data), '-o', folder / 'scores.npy')
    scores = numpy.load(folder / 'scores.npy')
    scores = scores.reshape(len(scores), -1)[:, 0]
    return {'rows': len(scores), 'log_prob': scores.mean(), 'standard_error': scores.std() / len(scores)**0.5}


def table(lines):
    """One row for each data set, one column for each variant: mean log-likelihoods in nats a row."""
    names = list(dict.fromkeys(line['data'] for line in lines))
    variants = list(dict.fromkeys(line['variant'] for line in lines))
    cells = {(line['data'], line['variant']): f"{line['log_prob']:.3f} ± {line['standard_error']:.3f}" for line in lines}
    rows = [['data', *variants], *([name, *(cells.get((name, v), '') for v in variants)] for name in names)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(variants) + 1)]
    return '\n'.join('  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('data', nargs='*', help='names; all without')
    parser.add_argument('--build', required=True, type=pathlib.Path, help='build folder with cli/contraflow')
    parser.add_argument('--tables', type=pathlib.Path, help='folder of weather.csv.gz and flights.csv.gz')
    parser.add_argument('--earlier', type=pathlib.Path, help='the program of another build, with its own defaults')
    parser.add_argument('--minutes', type=float, default=1.0)
    parser.add_argument('--variants', nargs='*', choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument('--set', dest='extra', action='append', default=[], help='an option more for the variant "default"')
    args = parser.parse_args()
    programs = dict.fromkeys(args.variants, args.build / 'cli' / 'contraflow')
    if args.earlier:
        programs[EARLIER] = args.earlier
    extra = [word for setting in args.extra for word in ('--set', setting)]
    names = args.data or [*TOYS, 'digits', *(TABLES if args.tables else ())]
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for name in names:
            data = name
            if name in TABLES:
                data = scratch / f'{name}.csv'
                write_table(args.tables / f'{name}.csv.gz', TABLES[name], data)
            for number, (variant, program) in enumerate(programs.items()):
                options = VARIANTS.get(variant, []) + (extra if variant == 'default' else [])
                folder = scratch / f'{name}-{number}'
                steps = train(program, variant, data, options, args.minutes, folder)
                lines.append({'data': name, 'variant': variant, 'minutes': args.minutes, 'steps': steps,
                              **test(program, data, folder)})
                print(json.dumps(lines[-1]), flush=True)
    print(table(lines), file=sys.stderr)


if __name__ == '__main__':
    main()
