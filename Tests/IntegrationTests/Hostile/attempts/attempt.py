"""What one attempt is: a row of the table that hostile_test.py walks."""

import dataclasses

PYTHON, NODE, NATIVE = "python", "node", "native"
ALL = (PYTHON, NODE, NATIVE)

# What Sandbox/README.md says a launcher without privilege cannot enforce; nothing else may be excused.
NOT_ENFORCED = ("memory", "cpu")


class OneOf(tuple):
    """Alternatives, where it depends on the machine or on which of two limits comes first."""

    def __new__(cls, *values):
        return super().__new__(cls, values)


@dataclasses.dataclass(frozen=True)
class Ended:
    """The call ends by a function error of this type, ended by this party."""

    error: object
    party: object


@dataclasses.dataclass(frozen=True, eq=False)
class Attempt:
    name: str
    layer: str
    # The function in attempts/<language> and its words; "{name}" in a word is replaced by what the test knows of the machine.
    run: tuple
    # What must be seen: a value, OneOf, Ended, or a function of what was seen that is true when it is right.
    expected: object
    languages: tuple = (PYTHON, NATIVE)
    # What a launcher without privilege cannot enforce of it: "memory" or "cpu".
    excused: str = None
    # Stopped by nothing so far: accepted only as long as Sandbox/README.md says so, in these words.
    admitted: str = None
    # In a container of its own, because it spoils the one it runs in; with these settings of the function.
    alone: bool = False
    settings: dict = dataclasses.field(default_factory=dict)
    # Calls of the same function before it, and one after it with what that must see.
    before: tuple = ()
    follow: tuple = None

    def is_met_by(self, seen):
        return matches(self.expected, seen)


def matches(expected, seen):
    if isinstance(expected, OneOf):
        return any(matches(value, seen) for value in expected)
    if isinstance(expected, Ended):
        return isinstance(seen, Ended) and matches(expected.error, seen.error) and matches(expected.party, seen.party)
    if callable(expected):
        return not isinstance(seen, Ended) and bool(expected(seen))
    return seen == expected
