"""The Python runtime of Wayside: turns frames on fd 3 into calls of a Lambda handler.

    serve        the life of one container: INIT, then one INVOKE after another
    frames       bytes ↔ frames (Sandbox/Protocol/include/wayside_frames.h)
    environment  what INIT asks for: variables, working directory, module path, time zone
    loader       "module.function" → the function
    context      the second argument of a handler
    document     JSON in, JSON out
    streaming    results that are sent while they are made
    failure      exceptions → Lambda error objects
    log          what reaches the function's log, and how it is formatted
    zygote       one booted interpreter, forked for each container
    fork_hooks   which fork hooks of the standard library the zygote needs
    rehearsal    does beforehand what every start does; `rehearsed/`, beside this package, is the bundle it loads

Behaviour follows awslambdaric 4.2.2, the interface client of Lambda itself; README.md lists the differences.
"""
