"""Who may call, and how requests prove it."""

from botocore import UNSIGNED

from conformance import ConformanceCase, Engine, client, send, signed_request

ECHO = "def handler(event, context):\n    return event\n"
LIST = "/2015-03-31/functions/"


class AccessTest(ConformanceCase):
    def test_a_request_signed_by_hand_is_accepted(self):
        status, headers, _ = signed_request("GET", LIST)
        self.assertEqual(status, 200)
        self.assertTrue(headers["x-amzn-RequestId"])

    def test_an_unsigned_request(self):
        status, headers, body = send("GET", LIST)
        self.assertEqual((status, headers["x-amzn-ErrorType"]), (403, "MissingAuthenticationTokenException"))
        self.assertEqual(body, {"message": "Missing Authentication Token"})
        self.refused(
            "MissingAuthenticationTokenException", 403, "Missing Authentication Token", client(signature_version=UNSIGNED).list_functions)

    def test_a_signature_that_is_too_old_or_from_the_future(self):
        for age, text in [(600, "Signature expired: "), (-600, "Signature not yet current: ")]:
            status, headers, body = signed_request("GET", LIST, age=age)
            self.assertEqual((status, headers["x-amzn-ErrorType"]), (403, "InvalidSignatureException"))
            self.assertTrue(body["message"].startswith(text), body)

    def test_a_wrong_secret_and_an_unknown_key(self):
        self.refused(
            "InvalidSignatureException", 403, "The request signature we calculated does not match the signature you provided. …",
            client(secret_key="x" * 40).list_functions)
        self.refused(
            "UnrecognizedClientException", 403, "The security token included in the request is invalid.",
            client(access_key="AKIAAAAAAAAAAAAAAAAA").list_functions)

    def test_another_account_sees_and_touches_nothing(self):
        name, made = self.create({"app.py": ECHO})
        other = client(Engine.other_access_key, Engine.other_secret_key)
        number = self.create({"app.py": ECHO}, api=other)[1]["FunctionArn"].split(":")[4]
        self.assertNotEqual(number, made["FunctionArn"].split(":")[4])
        elsewhere = made["FunctionArn"].replace(made["FunctionArn"].split(":")[4], number)
        self.refused("ResourceNotFoundException", 404, f"Function not found: {elsewhere}", other.get_function, FunctionName=name)
        for call, action in [(other.get_function, "GetFunction"), (other.delete_function, "DeleteFunction"),
                             (other.invoke, "InvokeFunction"), (other.publish_version, "PublishVersion")]:
            self.refused(
                "AccessDeniedException", 403,
                f"User: arn:aws:iam::{number}:root is not authorized to perform: lambda:{action} on resource: {made['FunctionArn']}",
                call, FunctionName=made["FunctionArn"])
        listed = [item["FunctionName"] for page in other.get_paginator("list_functions").paginate() for item in page["Functions"]]
        self.assertNotIn(name, listed)
        twin, _ = self.create({"app.py": "def handler(event, context):\n    return 'other'\n"}, api=other, FunctionName=name)
        self.assertEqual(self.invoke(twin, api=other)["Value"], "other")
        self.assertIsNone(self.invoke(name)["Value"])

    def test_another_region(self):
        _, made = self.create({"app.py": ECHO})
        arn = made["FunctionArn"].replace(f":{Engine.region}:", ":ap-southeast-1:")
        self.refused(
            "ResourceNotFoundException", 404,
            f"Functions from 'ap-southeast-1' are not reachable in this region ('{Engine.region}')",
            self.api.get_function, FunctionName=arn)
