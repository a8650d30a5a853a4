# All of taskfleet's images. Each has one program and no shell:
#
#   docker build --target supervisor -t taskfleet-supervisor .     (or worker, openai-sim, cli)
#
# Nothing here needs BuildKit, so that older engines build it too.

# ---- What decides the dependencies, and nothing else --------------------------------------
# Manifests, and an empty program for each target that they name. What this stage leaves is the
# same until a manifest changes, so that the next stage's dependencies come from the cache.
FROM rust:1.95-slim-bookworm AS manifests
WORKDIR /src
COPY . .
RUN find crates proto -type f \
      ! -name Cargo.toml ! -name build.rs ! -path '*/src/lib.rs' ! -path '*/src/main.rs' \
      ! -path '*/benches/*/main.rs' -delete \
 && find . -type d -empty -delete \
 && find crates -name '*.rs' -exec sh -c 'for file; do echo "fn main() { }" >"$file"; done' sh {} +

# ---- The programs -------------------------------------------------------------------------
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# Images carry no debug information: it is most of a binary's size.
ENV CARGO_PROFILE_RELEASE_DEBUG=none CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_TERM_COLOR=never
COPY --from=manifests /src .
RUN cargo build --release --locked --workspace --bins
COPY . .
# Copies keep their times, and cargo goes by these: older than the empty programs, they would
# count as built.
RUN find crates proto -type f -exec touch {} + \
 && cargo build --release --locked --workspace --bins \
 && mkdir -p /out/lib/taskfleet \
 && cd target/release && cp taskfleet taskfleet-supervisor taskfleet-worker openai-sim /out/

# ---- The images ---------------------------------------------------------------------------
FROM gcr.io/distroless/cc-debian12:nonroot AS runtime
USER 65532:65532

FROM runtime AS supervisor
COPY --from=build /out/taskfleet-supervisor /usr/local/bin/
# A new volume takes the owner from here: the store could not be made in one of root's.
COPY --from=build --chown=65532:65532 /out/lib /var/lib
# Loopback is the container's own: nobody would be served.
ENV TASKFLEET_SUPERVISOR__GRPC_LISTEN=0.0.0.0:50051 \
    TASKFLEET_SUPERVISOR__HTTP_LISTEN=0.0.0.0:8080 \
    TASKFLEET_SUPERVISOR__STORE=/var/lib/taskfleet/taskfleet.db
EXPOSE 50051 8080
ENTRYPOINT ["/usr/local/bin/taskfleet-supervisor"]

FROM runtime AS worker
COPY --from=build /out/taskfleet-worker /usr/local/bin/
ENV TASKFLEET_WORKER__GRPC_LISTEN=0.0.0.0:50052 \
    TASKFLEET_WORKER__HTTP_LISTEN=0.0.0.0:8081
EXPOSE 50052 8081
ENTRYPOINT ["/usr/local/bin/taskfleet-worker"]

FROM runtime AS openai-sim
COPY --from=build /out/openai-sim /usr/local/bin/
ENV OPENAI_SIM_LISTEN=0.0.0.0:9900
EXPOSE 9900
ENTRYPOINT ["/usr/local/bin/openai-sim"]

FROM runtime AS cli
COPY --from=build /out/taskfleet /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/taskfleet"]
