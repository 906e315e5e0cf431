"""Reads safetensors files of ours (docs/checkpoint_format.md) with numpy and json alone."""
import json
import pathlib
import struct

import numpy as np
import torch

_TYPES = {'F64': np.float64, 'F32': np.float32, 'I64': np.int64, 'I32': np.int32, 'U8': np.uint8}
_PREFIXES = ('best.', 'weights.')


def read_safetensors(path):
    """({name: tensor}, {key: text}) of the file."""
    raw = pathlib.Path(path).read_bytes()
    size = struct.unpack('<Q', raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    metadata = header.pop('__metadata__', {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry['data_offsets']
        if entry['dtype'] not in _TYPES:
            raise ValueError(f'[read_safetensors] {name}: expected one of {", ".join(_TYPES)}, got '
                             f'{entry["dtype"]}. Convert the checkpoint to float32.')
        values = np.frombuffer(raw[8 + size + begin:8 + size + end], dtype=_TYPES[entry['dtype']])
        tensors[name] = torch.from_numpy(values.reshape(entry['shape']).copy())
    return tensors, metadata


def flow_state(path):
    """State of a flow: the weights a checkpoint would be used with, or a bare state as it is."""
    tensors, metadata = read_safetensors(path)
    for prefix in _PREFIXES:
        state = {n[len(prefix):]: t for n, t in tensors.items() if n.startswith(prefix)}
        if state:
            return state, metadata
    return tensors, metadata


def block_states(state):
    """The states of the contractive blocks, in the order data -> latent, without their prefixes."""
    indices = sorted({int(n.split('.')[1]) for n in state if '.net.' in n})
    states = []
    for index in indices:
        prefix = f'transform.{index}.net.'
        states.append({n[len(prefix):]: t for n, t in state.items() if n.startswith(prefix)})
    return states


def standardization(state):
    """(mean, scale) of the flow's first transform, or None."""
    mean = state.get('transform.0.mean')
    return None if mean is None else (mean, state['transform.0.scale'])


def load_flow(flow, path):
    """Loads blocks, norms' singular vectors and standardisation into a blocks.Flow."""
    state, metadata = flow_state(path)
    states = block_states(state)
    if len(states) != len(flow.blocks):
        raise ValueError(f'[load_flow] blocks: expected {len(flow.blocks)}, got {len(states)} in {path}. '
                         'Export the model of this case.')
    for block, values in zip(flow.blocks, states):
        own = block.net.state_dict()
        block.net.load_state_dict({n: values[n].to(t.dtype) for n, t in own.items()})
    moments = standardization(state)
    if moments is not None:
        flow.mean.copy_(moments[0])
        flow.scale.copy_(moments[1])
    return metadata


def effective_layers(values):
    """[(scaled weight, bias)] and [raw_beta] of one sequential net, in order.

    The scale is the one our flow uses: min(1, cap / bound), read off the stored bound.
    """
    layers, betas = [], []
    names = sorted({int(n.split('.')[1]) for n in values})
    for k in names:
        if f'layers.{k}.raw_beta' in values:
            betas.append(values[f'layers.{k}.raw_beta'])
        else:
            layers.append((values[f'layers.{k}.weight'], values[f'layers.{k}.bias'],
                           values[f'layers.{k}.bounds']))
    return layers, betas
