"""InvokeWithResponseStream through boto3."""

import base64
import json

from conformance import NODE, ConformanceCase

PARTS = """
import time

def handler(event, context):
    for number in range(event["parts"]):
        yield f"part {number},"
    if event.get("waits"):
        time.sleep(60)
    if event.get("fails"):
        raise ValueError("midway")
"""
STREAMIFIED = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    stream.setContentType('text/plain');
    for (const part of event) stream.write(part);
    stream.end();
});
"""


class StreamTest(ConformanceCase):
    def stream(self, name, event, **more):
        return self.api.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event), **more)

    @staticmethod
    def collect(answer):
        chunks, complete = b"", None
        for event in answer["EventStream"]:
            if "PayloadChunk" in event:
                chunks += event["PayloadChunk"]["Payload"]
            else:
                complete = event["InvokeComplete"]
        return chunks, complete

    def test_a_streamed_result_comes_in_parts(self):
        name = self.python(PARTS)
        answer = self.stream(name, {"parts": 3}, LogType="Tail")
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
        self.assertEqual(answer["ResponseStreamContentType"], "application/vnd.amazon.eventstream")
        chunks, complete = self.collect(answer)
        self.assertEqual(chunks, b"part 0,part 1,part 2,")
        self.assertIn("REPORT RequestId", base64.b64decode(complete["LogResult"]).decode())
        self.assertNotIn("ErrorCode", complete)

    def test_the_first_part_is_seen_while_the_function_runs(self):
        """PLACE-21: the function waits behind its first part, longer than this test would."""
        name = self.python(PARTS, Timeout=50)
        answer = self.stream(name, {"parts": 1, "waits": True})
        self.assertEqual(next(iter(answer["EventStream"]))["PayloadChunk"]["Payload"], b"part 0,")
        answer["EventStream"].close()

    def test_a_failure_midway_is_told_at_the_end(self):
        chunks, complete = self.collect(self.stream(self.python(PARTS), {"parts": 1, "fails": True}))
        self.assertEqual((chunks, complete["ErrorCode"]), (b"part 0,", "Unhandled"))
        self.assertEqual(json.loads(complete["ErrorDetails"])["errorMessage"], "midway")

    def test_functions_made_for_lambda_stream(self):
        name, _ = self.create({"index.js": STREAMIFIED}, "index.handler", NODE)
        self.assertEqual(self.collect(self.stream(name, ["a", "b"]))[0], b"ab")

    def test_a_result_that_is_not_streamed_is_one_part(self):
        name = self.python("def handler(event, context):\n    return event\n")
        self.assertEqual(self.collect(self.stream(name, [1])), (b"[1]", {}))

    def test_a_streamed_result_that_is_wanted_whole(self):
        self.assertEqual(self.invoke_raw(self.python(PARTS), {"parts": 2}), b"part 0,part 1,")

    def invoke_raw(self, name, event):
        return self.api.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read()
