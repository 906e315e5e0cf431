"""Prints the table at the end of the demo from the JSON files that its commands wrote."""
import json
import pathlib
import sys


def load(run, name):
    return json.loads((run / f'{name}.json').read_text(encoding='utf-8'))


def measured(value):
    return f"{value['mean']:.3f} ± {value['standard_error']:.3f}"


def row(run):
    evaluation, certificate = load(run, 'evaluate'), load(run, 'certify')
    in_bits = 'bits_per_dim' in evaluation
    likelihood = evaluation['bits_per_dim'] if in_bits else evaluation['nll_nats']
    reference = (f"entropy {evaluation['data_entropy']:.3f}" if 'data_entropy' in evaluation
                 else 'zuko MAF 2.18, spline 2.03')
    return [run.name, measured(likelihood), 'bits/dim' if in_bits else 'nats', reference,
            certificate['verdict'], f"{certificate['worst_round_trip_error']:.1e}",
            f"{certificate['worst_error_bound']:.1e}"]


def main():
    out = pathlib.Path(sys.argv[1])
    header = ['data', 'test -log p(x)', 'unit', 'to compare', 'inverse', 'worst round trip', 'proven']
    rows = [header] + [row(out / name) for name in ('checkerboard', 'digits_images')]
    widths = [max(len(r[c]) for r in rows) for c in range(len(header))]
    for line in rows:
        print('  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    print('\nfiles')
    for path in sorted(out.rglob('*')):
        if path.is_file() and path.suffix in {'.png', '.csv', '.npy', '.safetensors', '.toml'}:
            print(f'  {path}')


if __name__ == '__main__':
    main()
