"""Which of the standard library's fork hooks run when the zygote forks a container.

Modules register hooks with os.register_at_fork. Those named here only make locks anew, in case another thread held them
during the fork. The zygote has one thread and holds none of them when it forks, so there they would achieve nothing and
write to a hundred pages that the child could go on sharing. A fork that user code makes later runs them all.
"""

import os
import sys

_LOCKS_ONLY = {"threading", "logging", "concurrent.futures.thread"}

_MOMENTS = ("before", "after_in_parent", "after_in_child")

_register = os.register_at_fork
_all = {moment: [] for moment in _MOMENTS}
_needed = {moment: [] for moment in _MOMENTS}  # those of _all that a fork of the zygote runs
_chosen = _all


def begin():
    """Keep hooks that are registered from now on here; until `wake`, forks run only those that are needed."""
    global _chosen
    _chosen = _needed
    # One hook of ours for all of theirs: each call into Python costs every child pages.
    _register(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
    os.register_at_fork = _keep


def end():
    """User code registers as ever."""
    os.register_at_fork = _register


def wake():
    """In a child: from here on all hooks run."""
    global _chosen
    _chosen = _all


def _keep(**hooks):
    module = sys._getframe(1).f_globals.get("__name__")
    for moment, hook in hooks.items():
        _all[moment].append(hook)
        if module not in _LOCKS_ONLY:
            _needed[moment].append(_reseed(hook) if module == "random" else hook)


def _reseed(hook):
    """`random` seeds its hidden generator anew. Its class does that in Python around a method of its base class in C."""
    generator = hook.__self__
    seed = super(type(generator), generator).seed

    def reseed():
        seed()
        generator.gauss_next = None

    return reseed


def _before():
    for hook in reversed(_chosen["before"]):
        hook()


def _after_in_parent():
    for hook in _chosen["after_in_parent"]:
        hook()


def _after_in_child():
    for hook in _chosen["after_in_child"]:
        hook()
