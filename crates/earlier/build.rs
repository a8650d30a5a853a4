//! Compiles the frozen copy of the wire's first commit.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../proto/earlier");
    let files =
        ["worker.proto", "taskfleet/v1/worker_control.proto", "taskfleet/v1/worker_registry.proto"];
    let descriptors = protox::compile(files, ["../../proto/earlier"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
