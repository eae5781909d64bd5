"""The no-op handler under functions-framework."""

import pathlib

import functions_framework

app = functions_framework.create_app("handler", str(pathlib.Path(__file__).with_name("noop_function.py")))
