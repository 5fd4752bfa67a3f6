"""Tests run coroutines by themselves, and no longer than this."""

import asyncio
import inspect

import pytest

PATIENCE = 60
"""Seconds a test may take; the busiest machine needs a tenth of it."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> "bool | None":
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    test = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    asyncio.run(asyncio.wait_for(test, PATIENCE), debug=True)
    return True
