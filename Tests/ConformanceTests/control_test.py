"""Functions, versions and settings through boto3."""

import base64
import hashlib
import urllib.request

from conformance import PROVIDED, PYTHON, ROLE, ConformanceCase, client, Engine, package

ECHO = "def handler(event, context):\n    return event\n"


class ControlTest(ConformanceCase):
    def account(self):
        return self.create({"app.py": ECHO})[1]["FunctionArn"].split(":")[4]

    def test_a_function_is_created_with_what_it_declares(self):
        name, made = self.create(
            {"app.py": ECHO}, Description="d", Timeout=7, MemorySize=256, EphemeralStorage={"Size": 1024},
            Environment={"Variables": {"KEY": "value"}}, Tags={"team": "edge"}, Architectures=["x86_64"],
        )
        zipped = package({"app.py": ECHO})
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertRegex(made["FunctionArn"], rf"^arn:aws:lambda:{Engine.region}:\d{{12}}:function:{name}$")
        self.assertEqual(made["CodeSize"], len(zipped))
        self.assertEqual(made["CodeSha256"], base64.b64encode(hashlib.sha256(zipped).digest()).decode())
        self.assertEqual((made["Runtime"], made["Role"], made["Handler"]), (PYTHON, ROLE, "app.handler"))
        self.assertEqual((made["Description"], made["Timeout"], made["MemorySize"]), ("d", 7, 256))
        self.assertEqual((made["Version"], made["PackageType"], made["Architectures"]), ("$LATEST", "Zip", ["x86_64"]))
        self.assertEqual(made["EphemeralStorage"], {"Size": 1024})
        self.assertEqual(made["Environment"], {"Variables": {"KEY": "value"}})
        self.assertRegex(made["LastModified"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")
        self.api.get_waiter("function_active_v2").wait(FunctionName=name)
        read = self.api.get_function(FunctionName=name)
        self.assertEqual(read["Tags"], {"team": "edge"})
        self.assertEqual(read["Configuration"]["RevisionId"], made["RevisionId"])
        self.assertEqual(self.api.get_function_configuration(FunctionName=name)["State"], "Active")
        self.assertEqual(self.api.list_tags(Resource=made["FunctionArn"])["Tags"], {"team": "edge"})
        with urllib.request.urlopen(read["Code"]["Location"], timeout=60) as answer:
            self.assertEqual(answer.read(), zipped)

    def test_settings_change_and_what_is_absent_stays(self):
        name, made = self.create({"app.py": ECHO}, Environment={"Variables": {"KEY": "value"}})
        changed = self.api.update_function_configuration(FunctionName=name, Timeout=9, RevisionId=made["RevisionId"])
        self.api.get_waiter("function_updated_v2").wait(FunctionName=name)
        self.assertEqual((changed["Timeout"], changed["MemorySize"]), (9, made["MemorySize"]))
        self.assertEqual(changed["Environment"], {"Variables": {"KEY": "value"}})
        self.assertNotEqual(changed["RevisionId"], made["RevisionId"])
        cleared = self.api.update_function_configuration(FunctionName=name, Environment={"Variables": {}})
        self.assertNotIn("Environment", cleared)
        self.refused(
            "PreconditionFailedException", 412,
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
            self.api.update_function_configuration, FunctionName=name, Timeout=8, RevisionId=made["RevisionId"],
        )

    def test_code_and_versions(self):
        name, made = self.create({"app.py": "def handler(event, context):\n    return 1\n"}, Publish=True)
        self.assertEqual(made["Version"], "1")
        self.assertTrue(made["FunctionArn"].endswith(f":{name}"))
        second = package({"app.py": "def handler(event, context):\n    return 2\n"})
        tried = self.api.update_function_code(FunctionName=name, ZipFile=second, DryRun=True)
        self.assertEqual(tried["CodeSha256"], made["CodeSha256"])
        updated = self.api.update_function_code(FunctionName=name, ZipFile=second)
        self.assertNotEqual(updated["CodeSha256"], made["CodeSha256"])
        self.assertEqual(self.invoke(name)["Value"], 2)
        self.assertEqual(self.invoke(name, Qualifier="1")["Value"], 1)
        published = self.api.publish_version(FunctionName=name, Description="second")
        self.assertEqual((published["Version"], published["Description"]), ("2", "second"))
        self.assertTrue(published["FunctionArn"].endswith(":2"))
        self.assertEqual(self.api.publish_version(FunctionName=name, Description="second")["Version"], "2")
        pages = self.api.get_paginator("list_versions_by_function").paginate(FunctionName=name, PaginationConfig={"PageSize": 2})
        self.assertEqual([item["Version"] for page in pages for item in page["Versions"]], ["$LATEST", "1", "2"])
        self.refused(
            "InvalidParameterValueException", 400, "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (…",
            self.api.publish_version, FunctionName=name, CodeSha256="x",
        )
        self.api.delete_function(FunctionName=name, Qualifier="1")
        self.refused(
            "ResourceNotFoundException", 404, f"Function not found: {published['FunctionArn'][:-1]}1",
            self.api.get_function, FunctionName=name, Qualifier="1",
        )
        self.refused(
            "InvalidParameterValueException", 400, "$LATEST version cannot be deleted without deleting the function.",
            self.api.delete_function, FunctionName=name, Qualifier="$LATEST",
        )

    def test_functions_are_listed_in_pages(self):
        names = sorted(self.create({"app.py": ECHO})[0] for _ in range(3))
        pages = list(self.api.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1}))
        listed = [item for page in pages for item in page["Functions"] if item["FunctionName"] in names]
        self.assertEqual(sorted(item["FunctionName"] for item in listed), names)
        self.assertTrue(all("State" not in item for item in listed))
        everything = self.api.get_paginator("list_functions").paginate(FunctionVersion="ALL")
        arns = [item["FunctionArn"] for page in everything for item in page["Functions"]]
        self.assertTrue(any(arn.endswith(f":{names[0]}:$LATEST") for arn in arns))

    def test_small_reads(self):
        name, _ = self.create({"app.py": ECHO})
        self.assertEqual(self.api.get_function_code_signing_config(FunctionName=name)["FunctionName"], name)
        settings = self.api.get_account_settings()
        self.assertEqual(settings["AccountLimit"]["CodeSizeZipped"], 52428800)
        self.assertGreaterEqual(settings["AccountUsage"]["FunctionCount"], 1)

    def test_what_is_gone_is_not_found(self):
        name, made = self.create({"app.py": ECHO})
        self.assertEqual(self.api.delete_function(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"], 204)
        for call in (self.api.get_function, self.api.get_function_configuration, self.api.delete_function, self.api.publish_version):
            self.refused("ResourceNotFoundException", 404, f"Function not found: {made['FunctionArn']}", call, FunctionName=name)
        self.refused(
            "ResourceNotFoundException", 404, f"Function not found: {made['FunctionArn']}:$LATEST", self.api.invoke, FunctionName=name)

    def test_a_name_is_taken_once(self):
        name, _ = self.create({"app.py": ECHO})
        self.refused(
            "ResourceConflictException", 409, f"Function already exist: {name}", self.api.create_function,
            FunctionName=name, Role=ROLE, Runtime=PYTHON, Handler="app.handler", Code={"ZipFile": package({"app.py": ECHO})},
        )

    def test_bad_settings_are_refused_in_the_words_of_aws(self):
        unvalidated = client(parameter_validation=False)
        valid = {"FunctionName": "f", "Role": ROLE, "Runtime": PYTHON, "Handler": "a.b", "Code": {"ZipFile": package({"a.py": ""})}}
        prefix = "1 validation error detected: Value"
        for change, text in [
            ({"FunctionName": "a b"}, f"{prefix} 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular…"),
            ({"Role": "r1"}, f"{prefix} 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: …"),
            ({"Handler": "a b"}, f"{prefix} 'a b' at 'handler' failed to satisfy constraint: Member must satisfy regular…"),
            ({"Timeout": 901}, f"{prefix} '901' at 'timeout' failed to satisfy constraint: "
             "Member must have value less than or equal to 900"),
            ({"Timeout": 0}, f"{prefix} '0' at 'timeout' failed to satisfy constraint: "
             "Member must have value greater than or equal to 1"),
            ({"MemorySize": 127}, f"{prefix} '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than…"),
            ({"EphemeralStorage": {"Size": 511}}, f"{prefix} '511' at 'ephemeralStorage.size' failed to satisfy constraint: …"),
            ({"Architectures": ["X86_64"]}, f"{prefix} '[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy "
             "constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"),
        ]:
            with self.subTest(change):
                self.refused("ValidationException", 400, text, unvalidated.create_function, **{**valid, **change})
        reserved = "Lambda was unable to configure your environment variables because the environment variables you have provided "
        for change, text in [
            ({"Runtime": "nope"}, "Value nope at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: […"),
            ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, reserved + "contains reserved keys that are currently not supported for "
             "modification. Reserved keys used in this request: AWS_REGION"),
            ({"Environment": {"Variables": {"LARGE": "x" * 4096}}},
             reserved + "exceeded the 4KB limit. String measured: {\"LARGE\":\"xx…"),
            ({"FunctionName": "a" * 65}, f"{prefix} '{'a' * 65}' at 'functionName' failed to satisfy constraint: "
             "Member must have length less than or equal to 64"),
            ({"Code": {"ZipFile": b"no zip"}}, "Could not unzip uploaded file. Please check your file, then try to upload again."),
            ({"Code": {"S3Bucket": "b", "S3Key": "k"}}, "Code in S3 is not supported by this engine. Send the package as ZipFile."),
            ({"Code": {"ImageUri": "i"}, "PackageType": "Image"}, "PackageType Image is not supported by this engine. Use Zip."),
        ]:
            with self.subTest(text):
                self.refused("InvalidParameterValueException", 400, text, unvalidated.create_function, **{**valid, **change})

    def test_zip_traps_are_refused(self):
        for name in ["../escape.py", "/absolute.py"]:
            with self.subTest(name):
                self.refused(
                    "InvalidParameterValueException", 400, "Could not unzip uploaded file. …", self.api.create_function,
                    FunctionName="trap", Role=ROLE, Runtime=PYTHON, Handler="a.b", Code={"ZipFile": package({name: "x"})},
                )

    def test_a_runtime_without_handlers_needs_none(self):
        name, made = self.create({"bootstrap": "#!/bin/sh\n"}, handler=None, runtime=PROVIDED)
        self.assertEqual(made["Runtime"], PROVIDED)
        self.assertEqual(self.api.get_function(FunctionName=name)["Configuration"]["State"], "Active")

    def test_operations_that_are_not_there_say_so(self):
        name, _ = self.create({"app.py": ECHO})
        self.refused(
            "UnknownOperationException", 404, "This engine has no operation GET /2015-03-31/event-source-mappings…",
            self.api.list_event_source_mappings)
        self.refused(
            "UnknownOperationException", 404, "This engine has no operation POST …", self.api.create_alias,
            FunctionName=name, Name="live", FunctionVersion="$LATEST")
