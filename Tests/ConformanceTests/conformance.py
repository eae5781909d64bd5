"""What the conformance tests share: the engine under test, its clients, and functions made for one test."""

import datetime
import hashlib
import hmac
import io
import json
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/conformance"
PYTHON = "python3.13"
NODE = "nodejs22.x"
PROVIDED = "provided.al2023"


class Engine:
    """The engine under test, set by the command line."""

    endpoint = region = access_key = secret_key = other_access_key = other_secret_key = aws = None


def client(access_key=None, secret_key=None, **config):
    """A boto3 client that does not repeat failed calls, so that a test sees each answer."""
    config.setdefault("retries", {"total_max_attempts": 1})
    return boto3.client(
        "lambda",
        endpoint_url=Engine.endpoint,
        region_name=Engine.region,
        aws_access_key_id=access_key or Engine.access_key,
        aws_secret_access_key=secret_key or Engine.secret_key,
        config=Config(read_timeout=60, **config),
    )


def package(files):
    """A zip with these files; those named bootstrap are executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if name == "bootstrap" else 0o100644) << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


def signed_request(method, path, body=b"", headers=None, age=0, secret_key=None):
    """Sends a request signed `age` seconds ago, by hand, and answers its status, headers and JSON body."""
    headers = dict(headers or {})
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=age)
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    host = urllib.parse.urlsplit(Engine.endpoint).netloc
    headers.update({"Host": host, "X-Amz-Date": stamp})
    names = sorted(name.lower() for name in headers)
    values = {name.lower(): value for name, value in headers.items()}
    canonical = "\n".join(
        [method, urllib.parse.quote(path, safe="/-_.~"), ""]
        + [f"{name}:{values[name]}" for name in names]
        + ["", ";".join(names), hashlib.sha256(body).hexdigest()]
    )
    scope = f"{stamp[:8]}/{Engine.region}/lambda/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + (secret_key or Engine.secret_key)).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={Engine.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return send(method, path, body, headers)


def send(method, path, body=b"", headers=None):
    request = urllib.request.Request(Engine.endpoint + path, data=body or None, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read() or b"{}")


class ConformanceCase(unittest.TestCase):
    """A test with a client and functions that are removed at its end."""

    maxDiff = None

    def setUp(self):
        self.api = client()

    def create(self, files, handler="app.handler", runtime=PYTHON, api=None, **more):
        """Makes a function with a name of its own and answers the name and what CreateFunction answered."""
        api = api or self.api
        name = more.pop("FunctionName", None) or f"conformance-{uuid.uuid4().hex[:12]}"
        if handler:
            more["Handler"] = handler
        made = api.create_function(FunctionName=name, Role=ROLE, Runtime=runtime, Code={"ZipFile": package(files)}, **more)
        self.addCleanup(self.remove, api, name)
        return name, made

    def remove(self, api, name):
        try:
            api.delete_function(FunctionName=name)
        except api.exceptions.ResourceNotFoundException:
            pass  # The test has removed it itself.

    def python(self, code, **more):
        """A Python function with this source; answers its name."""
        return self.create({"app.py": code}, **more)[0]

    def invoke(self, name, event=None, api=None, **more):
        """Invokes and answers the response with its payload as a value."""
        answer = (api or self.api).invoke(FunctionName=name, Payload=json.dumps(event), **more)
        answer["Value"] = json.loads(answer["Payload"].read())
        return answer

    def refused(self, code, status, message, call, **arguments):
        """The call must fail with this error, and its text must be this one or begin with it when it ends in an ellipsis."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        if message.endswith("…"):
            self.assertEqual(answer["Error"]["Message"][: len(message) - 1], message[:-1])
        else:
            self.assertEqual(answer["Error"]["Message"], message)
        self.assertTrue(answer["ResponseMetadata"]["RequestId"])
        return caught.exception

    def failed(self, answer, error_type):
        """The answer must be a function's failure of this type; answers its message."""
        self.assertEqual(answer["StatusCode"], 200)
        self.assertEqual(answer["FunctionError"], "Unhandled")
        self.assertEqual(answer["Value"]["errorType"], error_type)
        return answer["Value"]["errorMessage"]
