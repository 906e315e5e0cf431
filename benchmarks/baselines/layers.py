"""Contractive networks in eager PyTorch, as the papers' experiments build them.

Names of modules and parameters are those of our checkpoints (docs/checkpoint_format.md), so a state
loads without a table. What depends on parameters only (scaled weights, beta, the weights of the dense
concatenation) is computed once a step, in bind(), and used by every evaluation of that step.
"""
import torch
import torch.nn.functional as F
from torch import nn

LIPSWISH_CONSTANT = 1.1
CLIPSWISH_CONSTANT = 1.004
CPILA_CONSTANT = 1.06
CPILA_SHIFT = 0.2
PILA_K = 5.0
INITIAL_RAW_BETA = 0.5


class SpectralLinear(nn.Module):
    """Linear layer whose weight is W / max(1, sigma / cap), sigma by power iteration.

    x: [b, inputs] -> [b, outputs]. The iteration runs without autograd; sigma = u^T W v is then taken
    with it, so that gradients go through the scale, as in Residual Flows (Chen et al. 2019).
    """

    def __init__(self, inputs, outputs, cap):
        super().__init__()
        self.cap = cap
        limit = inputs ** -0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-limit, limit))
        self.register_buffer('left', F.normalize(torch.randn(outputs), dim=0))
        self.register_buffer('right', F.normalize(torch.randn(inputs), dim=0))
        self.effective = None

    @torch.no_grad()
    def update_norm(self, iterations):
        """Power iterations from where the last call ended."""
        transposed = self.weight.t()
        left, right = self.left, self.right
        for _ in range(iterations):
            left = F.normalize(torch.mv(self.weight, right), dim=0)
            right = F.normalize(torch.mv(transposed, left), dim=0)
        self.left.copy_(left)
        self.right.copy_(right)

    def bind(self):
        if self.cap is None:  # used as it is
            self.effective = self.weight
            return
        sigma = torch.dot(self.left, torch.mv(self.weight, self.right))
        self.effective = self.weight / torch.clamp(sigma / self.cap, min=1.0)

    def forward(self, x):
        return F.linear(x, self.effective, self.bias)


class LipSwish(nn.Module):
    """x sigmoid(beta x) / 1.1, beta = softplus(raw_beta)."""

    expansion = 1

    def __init__(self):
        super().__init__()
        self.raw_beta = nn.Parameter(torch.tensor(INITIAL_RAW_BETA))
        self.beta = None

    def bind(self):
        self.beta = F.softplus(self.raw_beta)

    def forward(self, x):
        return torch.sigmoid_(x * self.beta).mul(x).div_(LIPSWISH_CONSTANT)


class CLipSwish(LipSwish):
    """[lipswish(x); lipswish(-x)] / 1.004 along the features."""

    expansion = 2

    def forward(self, x):
        x = torch.cat((x, -x), 1)
        return torch.sigmoid_(x * self.beta).mul(x).div_(LIPSWISH_CONSTANT * CLIPSWISH_CONSTANT)


class CPila(nn.Module):
    """[pila(x - .2); pila(-x - .2)] / 1.06; pila is the identity above 0, a polynomial times e^(5x) below.

    Written as relu(x) + p(min(x, 0)) e^(5 min(x, 0)), so that neither branch overflows.
    """

    expansion = 2

    def bind(self):
        pass

    def forward(self, x):
        x = torch.cat((x, -x), 1).sub_(CPILA_SHIFT)
        low = x.clamp(max=0.0)
        polynomial = torch.addcmul(low, low * low, low * (0.5 * PILA_K ** 2) - PILA_K)
        return torch.addcmul(F.relu(x), polynomial, torch.exp(low * PILA_K)).div(CPILA_CONSTANT)


ACTIVATIONS = {'lipswish': LipSwish, 'clipswish': CLipSwish, 'cpila': CPila}


class DenseConcat(nn.Module):
    """a -> [c1 a; c2 f(a)], (c1, c2) on the unit circle and trained (i-DenseNets, section 3.2)."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.raw_concatenation = nn.Parameter(torch.zeros(2))
        self.parts = None

    def bind(self):
        self.parts = F.normalize(F.softplus(self.raw_concatenation), dim=0).unbind()

    def forward(self, a):
        return torch.cat((a * self.parts[0], self.inner(a) * self.parts[1]), 1)


class Net(nn.Module):
    """Layers in sequence, with prepare() for what a step does once."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.linears = [m for m in self.modules() if isinstance(m, SpectralLinear)]
        self.bound = [m for m in self.modules() if hasattr(m, 'bind')]

    def prepare(self, iterations):
        """`iterations` power iterations per layer (0 = none), then the values of this step."""
        if iterations > 0:
            for linear in self.linears:
                linear.update_norm(iterations)
        for module in self.bound:
            module.bind()

    def forward(self, x):
        return self.layers(x)


def sequential_net(dims, activation, lipschitz):
    """An activation before each linear layer, the first included; `lipschitz` caps the last layer.

    lipschitz None: weights are used as they are.
    """
    make = ACTIVATIONS[activation]
    layers = []
    for k in range(len(dims) - 1):
        act = make()
        last = k == len(dims) - 2
        cap = None if lipschitz is None else (lipschitz if last else 1.0)
        layers += [act, SpectralLinear(dims[k] * act.expansion, dims[k + 1], cap)]
    return Net(layers)


def dense_net(dim, depth, growth, activation, lipschitz):
    """`depth` densely concatenated layers of `growth` features each, then a linear layer back."""
    make = ACTIVATIONS[activation]
    layers, width = [], dim
    for _ in range(depth):
        act = make()
        inner = nn.Sequential(SpectralLinear(width, growth // act.expansion, 1.0), act)
        layers.append(DenseConcat(inner))
        width += growth
    layers.append(SpectralLinear(width, dim, lipschitz))
    return Net(layers)
