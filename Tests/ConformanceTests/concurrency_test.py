"""Reserved and provisioned concurrency through boto3 and the AWS command line."""

import concurrent.futures
import time

import cli_test
from conformance import ConformanceCase, client

ECHO = "def handler(event, context):\n    return event\n"
SLEEPER = "import time\n\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return event\n"


def until(condition, seconds=30):
    """Asks until the answer is true, and answers it; the last answer when time is over."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.1)


class ReservedConcurrencyTest(ConformanceCase):
    def throttled(self, call):
        """The call must be answered as AWS answers when the function's reservation is used up."""
        error = self.refused("TooManyRequestsException", 429, "Rate Exceeded.", call)
        self.assertEqual(error.response["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
        headers = error.response["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual((headers["retry-after"], headers["wayside-error"]), ("1", "reserved_concurrency"))

    def test_concurrency_is_reserved_shown_and_given_back(self):
        name = self.python(ECHO)
        self.assertNotIn("ReservedConcurrentExecutions", self.api.get_function_concurrency(FunctionName=name))
        before = self.api.get_account_settings()["AccountLimit"]
        put = self.api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
        self.assertEqual(put["ReservedConcurrentExecutions"], 5)
        self.assertEqual(self.api.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"], 5)
        self.assertEqual(self.api.get_function(FunctionName=name)["Concurrency"], {"ReservedConcurrentExecutions": 5})
        after = self.api.get_account_settings()["AccountLimit"]
        self.assertEqual(after["ConcurrentExecutions"], 1000)
        self.assertEqual(after["UnreservedConcurrentExecutions"], before["UnreservedConcurrentExecutions"] - 5)
        self.assertEqual(self.invoke(name, {"a": 1})["Value"], {"a": 1})
        deleted = self.api.delete_function_concurrency(FunctionName=name)
        self.assertEqual(deleted["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertNotIn("Concurrency", self.api.get_function(FunctionName=name))

    def test_what_leaves_too_few_to_the_others_is_refused(self):
        name = self.python(ECHO)
        self.refused(
            "InvalidParameterValueException", 400,
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
            "value of [100].", self.api.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=901)
        self.refused(
            "ValidationException", 400,
            "1 validation error detected: Value '-1' at 'reservedConcurrentExecutions' failed to satisfy constraint: "
            "Member must have value greater than or equal to 0",
            client(parameter_validation=False).put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=-1)

    def test_a_reservation_of_nothing_stops_the_function_and_only_it(self):
        name, other = self.python(ECHO), self.python(ECHO)
        self.assertEqual(self.invoke(name, {})["Value"], {})
        self.api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        self.throttled(lambda: self.api.invoke(FunctionName=name))
        self.assertEqual(self.invoke(other, {})["Value"], {})
        self.api.delete_function_concurrency(FunctionName=name)
        self.assertEqual(self.invoke(name, {})["Value"], {})

    def test_no_more_calls_run_at_one_time_than_are_reserved(self):
        name = self.python(SLEEPER, Timeout=10)
        self.api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
        self.invoke(name, {"seconds": 0})
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            running = threads.submit(self.invoke, name, {"seconds": 3}, client())
            time.sleep(1)
            self.throttled(lambda: self.api.invoke(FunctionName=name, Payload=b'{"seconds": 0}'))
            self.assertEqual(running.result()["Value"], {"seconds": 3})
        self.assertEqual(self.invoke(name, {"seconds": 0})["Value"], {"seconds": 0})


class ProvisionedConcurrencyTest(ConformanceCase):
    def test_containers_are_ready_before_the_first_call_which_is_warm(self):
        name, made = self.create({"app.py": "import time\ntime.sleep(0.5)\n" + ECHO}, Publish=True)
        put = self.api.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2)
        self.assertEqual(put["ResponseMetadata"]["HTTPStatusCode"], 202)
        self.assertEqual((put["RequestedProvisionedConcurrentExecutions"], put["Status"]), (2, "IN_PROGRESS"))
        self.assertRegex(put["LastModified"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000$")
        ready = until(lambda: self.config(name)["Status"] == "READY")
        config = self.config(name)
        self.assertTrue(ready, config)
        self.assertEqual(config["AllocatedProvisionedConcurrentExecutions"], 2)
        self.assertEqual(config["AvailableProvisionedConcurrentExecutions"], 2)
        answer = self.invoke(name, {"a": 1}, Qualifier="1")
        self.assertEqual(answer["Value"], {"a": 1})
        self.assertEqual(answer["ResponseMetadata"]["HTTPHeaders"]["wayside-start-level"], "warm")
        listed = self.api.get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName=name)
        configs = [config for page in listed for config in page["ProvisionedConcurrencyConfigs"]]
        self.assertEqual([config["FunctionArn"] for config in configs], [f"{made['FunctionArn']}:1"])
        deleted = self.api.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
        self.assertEqual(deleted["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.refused(
            "ProvisionedConcurrencyConfigNotFoundException", 404, "No Provisioned Concurrency Config found for this function",
            self.api.get_provisioned_concurrency_config, FunctionName=name, Qualifier="1")

    def test_a_function_that_cannot_be_initialised_is_said_to_have_failed(self):
        name, _ = self.create({"app.py": "raise ValueError('no')\n"}, Publish=True)
        self.api.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
        self.assertTrue(until(lambda: self.config(name)["Status"] == "FAILED"), self.config(name))
        self.assertEqual(self.config(name)["StatusReason"], "FUNCTION_ERROR_INIT_FAILURE")

    def test_what_cannot_be_provisioned_is_refused_in_the_words_of_aws(self):
        name, made = self.create({"app.py": ECHO}, Publish=True)
        unvalidated = client(parameter_validation=False)
        for qualifier, count, code, status, text in [
            ("$LATEST", 1, "InvalidParameterValueException", 400,
             "Provisioned Concurrency Configs cannot be applied to unpublished function versions."),
            ("live", 1, "ResourceNotFoundException", 404, f"Cannot find alias arn: {made['FunctionArn']}:live. …"),
            ("9", 1, "ResourceNotFoundException", 404, f"Function not found: {made['FunctionArn']}:9"),
            ("1", 0, "ValidationException", 400,
             "1 validation error detected: Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: "
             "Member must have value greater than or equal to 1"),
            ("1", 1001, "InvalidParameterValueException", 400,
             "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency […"),
            ("1", 950, "InvalidParameterValueException", 400,
             "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of "
             "[100]."),
        ]:
            with self.subTest(qualifier=qualifier, count=count):
                self.refused(
                    code, status, text, unvalidated.put_provisioned_concurrency_config, FunctionName=name, Qualifier=qualifier,
                    ProvisionedConcurrentExecutions=count)
        self.api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
        self.refused(
            "InvalidParameterValueException", 400,
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
            self.api.put_provisioned_concurrency_config, FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2)

    def config(self, name):
        return self.api.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")


class ConcurrencyCommandLineTest(ConformanceCase):
    aws = cli_test.CommandLineTest.aws

    def test_concurrency_from_the_command_line(self):
        name, _ = self.create({"app.py": ECHO}, Publish=True)
        self.aws("wait", "published-version-active", "--function-name", name, "--qualifier", "1")
        put = self.aws("put-function-concurrency", "--function-name", name, "--reserved-concurrent-executions", "3")
        self.assertEqual(put, {"ReservedConcurrentExecutions": 3})
        self.assertEqual(self.aws("get-function-concurrency", "--function-name", name), {"ReservedConcurrentExecutions": 3})
        put = self.aws(
            "put-provisioned-concurrency-config", "--function-name", name, "--qualifier", "1", "--provisioned-concurrent-executions", "1")
        self.assertEqual((put["RequestedProvisionedConcurrentExecutions"], put["Status"]), (1, "IN_PROGRESS"))
        listed = self.aws("list-provisioned-concurrency-configs", "--function-name", name)
        self.assertEqual(len(listed["ProvisionedConcurrencyConfigs"]), 1)
        error = self.aws("put-function-concurrency", "--function-name", name, "--reserved-concurrent-executions", "0", fails=True)
        self.assertIn("should not be lower than function's total provisioned concurrency [1].", error)
        self.aws("delete-provisioned-concurrency-config", "--function-name", name, "--qualifier", "1")
        error = self.aws("get-provisioned-concurrency-config", "--function-name", name, "--qualifier", "1", fails=True)
        self.assertIn("(ProvisionedConcurrencyConfigNotFoundException)", error)
        self.aws("delete-function-concurrency", "--function-name", name)
        self.assertIsNone(self.aws("get-function-concurrency", "--function-name", name))
