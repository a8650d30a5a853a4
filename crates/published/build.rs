//! Compiles the frozen copy of the published messages.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../proto/published");
    let descriptors = protox::compile(["worker.proto"], ["../../proto/published"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
