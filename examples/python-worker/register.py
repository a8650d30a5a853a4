"""Registers a worker with a supervisor, and again whenever the supervisor has forgotten it.

    python register.py --supervisor 127.0.0.1:50051 --worker 127.0.0.1:50060 --slots 4
"""

import argparse
import random
import sys
import time
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "proto"))
messages, services = grpc.protos_and_services("taskfleet/v1/worker_registry.proto")


def keep_registered(registry, request):
    registered = registry.Register(request, timeout=10)
    print("registered", flush=True)
    pause = registered.heartbeat_interval.seconds or 3
    beat = messages.HeartbeatRequest(
        registration_id=registered.registration_id, slots=request.slots
    )
    while True:
        time.sleep(pause)
        registry.Heartbeat(beat, timeout=10)  # NOT_FOUND: register again.


def main():
    arguments = argparse.ArgumentParser(description="Registers a worker and keeps it registered.")
    arguments.add_argument("--supervisor", default="127.0.0.1:50051", metavar="HOST:PORT")
    arguments.add_argument("--worker", default="127.0.0.1:50060", metavar="HOST:PORT")
    arguments.add_argument("--slots", type=int, default=4)
    arguments.add_argument("--join-token", default="")
    arguments = arguments.parse_args()
    request = messages.RegisterRequest(
        name="python",
        address=arguments.worker,
        slots=arguments.slots,
        join_token=arguments.join_token,
        heartbeats=True,
    )
    with grpc.insecure_channel(arguments.supervisor) as channel:
        registry = services.WorkerRegistryStub(channel)
        while True:
            try:
                keep_registered(registry, request)
            except grpc.RpcError as error:
                print(f"not registered: {error.code().name}: {error.details()}", flush=True)
                time.sleep(random.uniform(0.5, 2))


if __name__ == "__main__":
    main()
