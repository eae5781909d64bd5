"""What `region_kill.py` makes of calls: when a kill no longer shows, by when answers came."""

import unittest

import region_kill


class Answer:
    def __init__(self, ended, took=0.002, code=None):
        self.ended, self.took, self.began, self.code = ended, took, ended - took, code
        self.status, self.is_good = (500 if code else 200), not code


def steady(begin, end, took=0.002):
    """200 a second."""
    return [Answer(begin + number / 200, took) for number in range(int((end - begin) * 200))]


class Recovery(unittest.TestCase):
    def test_without_a_trace_it_is_none(self):
        self.assertEqual(region_kill.recovery(steady(0, 8), 3), 0)

    def test_a_failure_counts_when_its_answer_comes_however_early_its_call_began(self):
        calls = [*steady(0, 8), Answer(5.5, took=2.6, code="region_failed")]
        self.assertAlmostEqual(region_kill.recovery(calls, 3), 2.5)
        self.assertEqual(len(region_kill.lost(calls)), 1)

    def test_slow_answers_count_to_the_last_of_them_and_a_hiccup_does_not(self):
        calls = steady(0, 3) + steady(3, 4, took=0.09) + steady(4, 8)
        self.assertAlmostEqual(region_kill.recovery(calls, 3), 1.1, delta=0.06)
        calls = steady(0, 8) + [Answer(6, took=0.02) for _ in range(15)]
        self.assertEqual(region_kill.recovery(calls, 3), 0)
        before, after = region_kill.slow_share(calls, 3)
        self.assertEqual(before, 0)
        self.assertAlmostEqual(after, 15 / 1015, delta=0.001)


if __name__ == "__main__":
    unittest.main()
