"""Tries examples/python-worker with a simulated API and a real supervisor. Argument: the
taskfleet binary. Ends with 1, and everything that was logged, when a promise does not hold."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import grpc

BINARY = str(Path(sys.argv[1]).resolve())
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "python-worker"
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("TASKFLEET_", "OPENAI_"))}


class Process:
    """One that says "listening on ADDRESS", or nothing at all."""

    def __init__(self, folder, name, command, env, speaks=True):
        self.log = folder / f"{name}.log"
        self.name, self.command, self.env = name, command, {**CLEAN, **env}
        self.start(speaks)

    def start(self, speaks=True):
        self.child = subprocess.Popen(
            self.command, env=self.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.open("a"),
        )
        if speaks:
            line = self.child.stdout.readline()
            assert "listening on" in line, f"{self.name} said {line!r}"
            self.address = line.split()[-1]

    def kill(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
        self.child.wait()


class Fleet:
    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack
        self.sim = self.add("openai-sim", [BINARY, "openai-sim", "--exit-with-parent", "--listen", "127.0.0.1:0"], {})
        self.api = {"OPENAI_BASE_URL": f"http://{self.sim.address}/v1", "OPENAI_MODEL": "simulated"}

    def add(self, name, command, env, speaks=True):
        process = Process(self.folder, name, command, env, speaks)
        self.stack.callback(process.kill)
        return process

    def python(self, name, listen="127.0.0.1:0"):
        command = [sys.executable, str(EXAMPLE / "worker.py"), "--listen", listen, "--slots", "2"]
        return self.add(name, command, self.api)

    def supervise(self, name, static=""):
        env = {
            "TASKFLEET_SUPERVISOR__GRPC_LISTEN": "127.0.0.1:0",
            "TASKFLEET_SUPERVISOR__HTTP_LISTEN": "127.0.0.1:0",
            "TASKFLEET_SUPERVISOR__STORE": str(self.folder / f"{name}.db"),
            "TASKFLEET_SUPERVISOR__STATIC_WORKERS": static,
            "RUST_LOG": "info",
        }
        self.supervisor = self.add(name, [BINARY, "supervisor", "--exit-with-parent"], env)
        # A restart serves where it served before.
        self.supervisor.env["TASKFLEET_SUPERVISOR__GRPC_LISTEN"] = self.supervisor.address

    def ours(self):
        env = {**self.api, "OPENAI_API_KEY": "none", "TASKFLEET_WORKER__NAME": "ours",
               "TASKFLEET_WORKER__GRPC_LISTEN": "127.0.0.1:0",
               "TASKFLEET_WORKER__HTTP_LISTEN": "127.0.0.1:0",
               "TASKFLEET_WORKER__SUPERVISOR": self.supervisor.address}
        return self.add("ours", [BINARY, "worker", "--exit-with-parent"], env)

    def cli(self, *arguments):
        env = {**CLEAN, "TASKFLEET_ADDRESS": self.supervisor.address}
        return subprocess.run([BINARY, *arguments], env=env, text=True, capture_output=True, timeout=60)

    def submit(self, prompt):
        answer = self.cli("submit", prompt)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()

    def submit_large(self):
        """No argument of a command may be this long."""
        sys.path.insert(0, str(EXAMPLE.parent.parent / "proto"))
        services = grpc.services("taskfleet/v1/task_service.proto")
        TaskSpec = grpc.protos("taskfleet/v1/task.proto").TaskSpec
        with grpc.insecure_channel(self.supervisor.address) as channel:
            tasks = services.TaskServiceStub(channel)
            return tasks.SubmitTask(TaskSpec(content="x" * (5 << 20))).task_id

    def task(self, task_id):
        answer = self.cli("get", task_id, "--json").stdout
        return json.loads(answer)["task"] if answer else {}

    def until(self, task_id, what, wanted):
        return until(f"{task_id}: {what}", lambda: (lambda t: t if t and wanted(t) else None)(self.task(task_id)))

    def ended(self, task_id, state):
        task = self.until(task_id, "has ended", lambda task: "finishedAt" in task)
        assert task["state"] == f"TASK_STATE_{state}", task
        return task

    def open_calls(self):
        with urllib.request.urlopen(f"http://{self.sim.address}/sim/calls", timeout=10) as answer:
            return json.load(answer)["open"]


def until(what, look, limit=40):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain until {what}")


def tries(fleet, worker):
    """Complete, fail, cancel, slow, oversize, crash."""
    done = fleet.ended(fleet.submit("hello"), "COMPLETED")
    assert done["result"]["text"].startswith("digest:"), done

    slow = fleet.submit("slow [sim:ok,latency=6500]")
    failing = fleet.submit("bad [sim:400]")
    failed = fleet.ended(failing, "FAILED")
    assert failed["result"]["kind"] == "FAILURE_KIND_API_ERROR", failed
    assert "HTTP 400" in failed["result"]["error"], failed

    hanging = fleet.submit("hang [sim:hang]")
    until("the API is called", lambda: fleet.open_calls() == 2)
    assert fleet.cli("cancel", hanging).returncode == 0
    until("the API's call has ended with the task", lambda: fleet.open_calls() <= 1)
    fleet.ended(hanging, "CANCELLED")

    counters = fleet.ended(slow, "COMPLETED").get("counters", {})
    assert not counters.get("requeues") and not counters.get("workerLosses"), counters

    lost = fleet.submit(f"{worker.name} crashes [sim:hang,ok]")
    until("the API is called", lambda: fleet.open_calls() == 1)
    worker.kill()
    worker.command[worker.command.index("--listen") + 1] = worker.address
    worker.start()
    task = fleet.until(lost, "is lost once", lambda task: task.get("counters", {}).get("workerLosses") == 1)
    assert task["attempts"][0]["possiblyPaid"], task
    fleet.ended(lost, "COMPLETED")


def main():
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        folder = Path(folder)
        try:
            fleet = Fleet(folder, stack)
            listed = fleet.python("listed")
            fleet.supervise("supervisor-listed", f"{listed.address}*2")
            tries(fleet, listed)
            print(f"listed: all right after {time.monotonic() - began:.0f} s")

            # What is too large for it goes to a worker that takes it.
            large = fleet.submit_large()
            assert fleet.ended(fleet.submit("hello"), "COMPLETED")
            assert fleet.task(large)["state"] == "TASK_STATE_QUEUED"
            ours = fleet.ours()
            assert fleet.ended(large, "COMPLETED")["attempts"][0]["worker"] == "ours"
            ours.kill()

            # A supervisor that dies takes the call along, and its successor repeats it.
            cut = fleet.submit("cut off [sim:ok,latency=2000]")
            until("the API is called", lambda: fleet.open_calls() == 1)
            fleet.supervisor.kill()
            until("the API's call has ended", lambda: fleet.open_calls() == 0)
            fleet.supervisor.start()
            task = fleet.ended(cut, "COMPLETED")
            assert task["attempts"][0]["possiblyPaid"] and len(task["attempts"]) == 2, task
            fleet.supervisor.kill()
            print(f"mixed and cut off: all right after {time.monotonic() - began:.0f} s")

            registered = fleet.python("registered")
            fleet.supervise("supervisor-registered")
            command = [sys.executable, str(EXAMPLE / "register.py"), "--slots", "2",
                       "--supervisor", fleet.supervisor.address, "--worker", registered.address]
            fleet.add("register", command, {}, speaks=False)
            tries(fleet, registered)
            fleet.supervisor.kill()
            fleet.supervisor.start()
            fleet.ended(fleet.submit("registered again"), "COMPLETED")
            print(f"registered: all right after {time.monotonic() - began:.0f} s")
        except BaseException:
            for log in sorted(folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()}", file=sys.stderr)
            raise


if __name__ == "__main__":
    main()
