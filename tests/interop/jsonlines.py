"""A child process that prints one JSON object a line, and waiting for what it says."""
from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

Event = Dict[str, Any]


class Silent(AssertionError):
    """A process did not say in time what it was expected to say."""


class Speaker:
    """A running child process.

    Its events are kept in order. They go to `log` as well, with the seconds since its start, beside
    what it writes to stderr.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.started = time.monotonic()
        self._events: List[Event] = []
        self._ended = False
        self._news = threading.Condition()
        self._log = log.open("a")
        self._log.write(f"$ {' '.join(command)}\n")
        self._log.flush()
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
                                       text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        return self._child.poll() is not None

    def tell(self, **command: Any) -> None:
        """Sends the child one JSON object on a line of its standard input."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()

    def mark(self) -> int:
        """The number of events so far; `wait` and `last` look only after it if they are given it."""
        with self._news:
            return len(self._events)

    def wait(self, event: str, within: float, when: Callable[[Event], bool] = lambda _: True, since: int = 0) -> Event:
        """Returns the first event of this name for which `when` holds; raises `Silent` if none comes in time."""
        deadline = time.monotonic() + within
        with self._news:
            while True:
                for found in self._events[since:]:
                    if found.get("event") == event and when(found):
                        return found
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    why = "ended without it" if self._ended else f"not within {within:g} s"
                    raise Silent(f"{self.name}: no event {event!r} as expected: {why}; last: {self._events[-3:]}")
                self._news.wait(left)

    def last(self, event: str, when: Callable[[Event], bool] = lambda _: True, since: int = 0) -> Optional[Event]:
        """The most recent event of this name for which `when` holds."""
        with self._news:
            return next((e for e in reversed(self._events[since:]) if e.get("event") == event and when(e)), None)

    def all(self, event: str, when: Callable[[Event], bool] = lambda _: True, since: int = 0) -> List[Event]:
        """The events of this name so far for which `when` holds."""
        with self._news:
            return [e for e in self._events[since:] if e.get("event") == event and when(e)]

    def stop(self, patience: float = 5) -> int:
        """Asks the child to end, makes it end if it does not, and returns its exit code."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._finish()

    def kill(self) -> None:
        """Ends the child without a warning, as a power cut would."""
        self._child.kill()
        self._child.wait()

    def _finish(self) -> int:
        code = self._child.wait()
        self._reader.join()
        for stream in (self._child.stdin, self._child.stdout, self._log):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:
                pass
        return code

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if not self._log.closed:
                self._log.write(f"{time.monotonic() - self.started:7.3f} {line}")
                self._log.flush()
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "garbage", "line": line}
            with self._news:
                self._events.append(event)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()
