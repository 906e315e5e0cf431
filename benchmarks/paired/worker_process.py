"""A worker as seen from the harness: a process that answers one JSON line with one."""
import json
import os
import selectors
import subprocess
import time

STOP_SECONDS = 10


class WorkerError(RuntimeError):
    """A worker that failed, with what it printed."""


class Worker:
    """Starts at construction; idle (blocked on its input) whenever it was not asked something."""

    def __init__(self, side, command, threads, cwd, timeout):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
        self.side = side
        self.timeout = timeout
        self.process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.buffer = b''
        self.hello = self._read()

    def ask(self, iterations):
        """The reply to a request for `iterations` timed iterations."""
        return self._request({'iterations': iterations})

    def peak(self):
        """Bytes that the process holds at most during one iteration."""
        return self._request({'memory': True})['peak_bytes']

    def _request(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b'\n')
        self.process.stdin.flush()
        return self._read()

    def _read(self):
        deadline = time.monotonic() + self.timeout
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        while b'\n' not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                self.close()
                raise WorkerError(f'[{self.side}] reply: expected one within {self.timeout} s, got none. '
                                  'Raise --timeout or lower --rows.')
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                text = self.process.stderr.read().decode(errors='replace').strip()
                code = self.process.wait()
                self.close()
                raise WorkerError(f'[{self.side}] worker: expected a reply, got exit code {code}:\n'
                                  f'{text[-2000:]}')
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)

    def close(self):
        """Ends the worker: its input ends, then it is terminated if it does not go by itself."""
        self.process.stdin.close()
        if self.process.poll() is None:
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
