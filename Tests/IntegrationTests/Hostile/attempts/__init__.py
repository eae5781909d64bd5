"""Everything that hostile functions attempt: the rows of the table. The functions themselves are in the folders beside."""

from . import exhaustion, files, processes, protocol, system_calls

ATTEMPTS = [attempt for module in (system_calls, files, processes, exhaustion, protocol) for attempt in module.attempts()]
