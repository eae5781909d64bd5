"""What the tests of the runtimes share.

    daemon       the daemon's side of frames: starts a runtime, speaks with it, reads its log
    cases        what every runtime that speaks frames has to do, whatever its language
    zygote       a zygote of the Python runtime, with zygote_stub.c as the launcher's library
    runtime_api  the Lambda Runtime API, for runtimes of kind exec_late
"""
