"""What the tests of sticky containers share: a function that remembers, and rules that find values."""

# Counts its own calls in memory and in a file, and says which container it is. The backing store is asked once for each container.
STATE = """
import os, time, uuid

ME, CALLS, FETCHES, KEPT = str(uuid.uuid4()), 0, 0, []

def handler(event, context):
    global CALLS, FETCHES
    CALLS += 1
    if not FETCHES:
        FETCHES += 1
    with open('/tmp/calls', 'a') as file:
        file.write('x')
    KEPT.append(bytearray(int(event.get('keep', 0)) << 20))
    if event.get('exit'):
        os._exit(1)
    time.sleep(event.get('seconds', 0))
    return {'container': ME, 'calls': CALLS, 'file': os.path.getsize('/tmp/calls'), 'fetches': FETCHES}
"""
RUNTIME = {"capacity": {"memoryMebibytes": 4096, "warming": ["python=1"]}}


def rule(source="header:x-user", **more):
    return {"Wayside": {"Affinity": {"Source": source} | more}}
