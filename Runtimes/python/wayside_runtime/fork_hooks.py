"""Which of the standard library's fork hooks run when the zygote forks a container.

Modules register hooks with os.register_at_fork. Those named here only make locks anew, in case another thread held them
during the fork. The zygote has one thread and holds none of them when it forks, so there they would achieve nothing and
write to a hundred pages that the child could go on sharing. A fork that user code makes later runs them all.
"""

import os
import sys

_LOCKS_ONLY = {"threading", "logging", "concurrent.futures.thread"}

_register = os.register_at_fork
_asleep = {"before": [], "after_in_parent": [], "after_in_child": []}


def begin():
    """Keep the hooks that only make locks anew here until `wake`."""
    os.register_at_fork = _keep


def end():
    """User code registers as ever."""
    os.register_at_fork = _register


def wake():
    """In a child: from here on all hooks run."""
    # One hook of ours for all of theirs: to name each would cost every child its page.
    _register(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)


def _keep(**hooks):
    module = sys._getframe(1).f_globals.get("__name__")
    if module == "random":
        _register(after_in_child=_seed(hooks["after_in_child"]))
    elif module not in _LOCKS_ONLY:
        _register(**hooks)
        return
    for moment, hook in hooks.items():
        _asleep[moment].append(hook)


def _seed(hook):
    """What seeds the hidden generator of `random` anew, in C.

    Around it its class has Python, for half a pair of Gaussian numbers; the zygote keeps none.
    """
    generator = hook.__self__
    return super(type(generator), generator).seed


def _before():
    for hook in reversed(_asleep["before"]):
        hook()


def _after_in_parent():
    for hook in _asleep["after_in_parent"]:
        hook()


def _after_in_child():
    for hook in _asleep["after_in_child"]:
        hook()
