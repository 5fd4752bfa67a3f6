"""What the library says to whoever looks for the cause of something."""

from __future__ import annotations

import logging

from . import _native
from .errors import translated
from .records import LogLevel, LogRecord

_LEVELS = {
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARN: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.TRACE: logging.DEBUG - 5,
}


def set_log_level(level: LogLevel) -> None:
    """Sets what is said from now on, in all nodes of the process. Nothing is before this is called.

    Raises:
        Unsupported: the process has a logger for Rust code already, which gets it all.
    """
    with translated():
        _native.set_log_level(level)


async def next_log_record() -> LogRecord:
    """Waits for the next record. There are at most 1024; when more come, the oldest are forgotten."""
    return await _native.next_log_record()


async def forward_logs() -> None:
    """Hands records to `logging`, each to the logger of its module, until it is cancelled."""
    while True:
        record = await next_log_record()
        logger = logging.getLogger(record.target.replace("::", "."))
        logger.log(_LEVELS[record.level], "%s", record.message)
