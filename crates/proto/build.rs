//! Compiles the .proto files without protoc.

use std::{error::Error, fs, path::PathBuf};

use prost::Message;

const ROOT: &str = "../../proto";

const FILES: [&str; 5] = [
    "worker.proto",
    "taskfleet/v1/task_service.proto",
    "taskfleet/v1/fleet_service.proto",
    "taskfleet/v1/worker_registry.proto",
    "taskfleet/v1/worker_control.proto",
];

/// Messages that carry keys, tokens, prompts or results: their Debug is written by
/// hand (`src/redacted.rs`) and shows none of it.
const SECRET: [&str; 13] = [
    ".worker.TaskRequest",
    ".worker.TaskResponse",
    ".worker.ApiRequest",
    ".worker.Outcome",
    ".taskfleet.v1.TaskSpec",
    ".taskfleet.v1.HttpRequest",
    ".taskfleet.v1.TaskResult",
    ".taskfleet.v1.Attempt",
    ".taskfleet.v1.GetResultResponse",
    ".taskfleet.v1.TextDelta",
    ".taskfleet.v1.TextSnapshot",
    ".taskfleet.v1.RegisterRequest",
    ".taskfleet.v1.LocalProcess",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let descriptors = protox::compile(FILES, [ROOT])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .codec_path("crate::Codec")
        .bytes(".worker")
        .skip_debug(SECRET)
        .compile_fds(descriptors)?;
    Ok(())
}
