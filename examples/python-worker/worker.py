"""A worker for taskfleet, in Python: one streaming RPC, and nothing else of taskfleet's.

    pip install -r requirements.txt
    OPENAI_API_KEY=sk-… python worker.py --listen 127.0.0.1:50060 --slots 4

Tell the supervisor of it with TASKFLEET_SUPERVISOR__STATIC_WORKERS=127.0.0.1:50060*4, or run
register.py beside it.
"""

import argparse
import contextlib
import http.client
import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import grpc

# The messages as they were published. grpcio-tools makes the code from them at the start.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "proto" / "published"))
messages, services = grpc.protos_and_services("worker.proto")

BASE_URL = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
MODEL = os.environ.get("OPENAI_MODEL") or "gpt-4o-mini"
KEY = os.environ.get("OPENAI_API_KEY", "")


def chat(prompt, key, context):
    """Streams one chat completion; the whole text. Ends with the task's own stream."""
    url = urlsplit(BASE_URL)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    # The supervisor sends what remains of the attempt as the call's deadline.
    connection = kind(url.netloc, timeout=min(context.time_remaining() or 120, 3600))
    connection.connect()
    end_with(context, connection.sock)
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    with contextlib.closing(connection):
        connection.request("POST", f"{url.path}/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"HTTP {answer.status}: {answer.read(2000).decode(errors='replace')}")
        return read(answer)


def read(answer):
    """The text of a stream of server-sent events. One that was cut is no answer."""
    text, finished = [], False
    for line in answer:
        if not line.startswith(b"data:") or line[5:].strip() == b"[DONE]":
            continue
        event = json.loads(line[5:])
        if "error" in event:
            raise RuntimeError(event["error"].get("message", "an error in the stream"))
        for choice in event.get("choices", [])[:1]:
            text.append(choice.get("delta", {}).get("content") or "")
            finished = finished or bool(choice.get("finish_reason"))
    if not finished:
        raise RuntimeError("the answer was cut")
    return "".join(text)


def end_with(context, connected):
    """A task that is cancelled drops its stream: then the call to the API ends as well."""

    def hang_up():
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    if not context.add_callback(hang_up):
        hang_up()


class Worker(services.WorkerServiceServicer):
    def ProcessTask(self, task, context):
        answer = lambda **what: messages.TaskResponse(task_id=task.task_id, **what)
        yield answer(status=messages.PROCESSING)
        try:
            text = chat(task.content, task.api_key or KEY, context)
        except Exception as error:  # Whatever it was, the supervisor decides what follows.
            yield answer(status=messages.FAILED, error=f"{type(error).__name__}: {error}")
        else:
            yield answer(status=messages.COMPLETED, result=text)


def main():
    arguments = argparse.ArgumentParser(description="A worker for taskfleet, in Python.")
    arguments.add_argument("--listen", default="127.0.0.1:50060", metavar="HOST:PORT")
    arguments.add_argument("--slots", type=int, default=4, help="calls at once")
    arguments = arguments.parse_args()
    server = grpc.server(ThreadPoolExecutor(max_workers=arguments.slots))
    services.add_WorkerServiceServicer_to_server(Worker(), server)
    host = arguments.listen.rsplit(":", 1)[0]
    port = server.add_insecure_port(arguments.listen)
    server.start()
    print(f"listening on {host}:{port}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=30).wait()


if __name__ == "__main__":
    main()
