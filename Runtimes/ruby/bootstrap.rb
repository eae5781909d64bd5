# frozen_string_literal: true

# Entry point of the Ruby runtime; the command in runtime.json starts it before the function is known.
# Frames come and go on descriptor 3 (Sandbox/Protocol/include/wayside_frames.h).
#
# Behaviour follows aws_lambda_ric, the interface client of Lambda itself; README.md lists the differences.

require_relative 'wayside_runtime/runtime'

WaysideRuntime::Runtime.new(3).run
