//! Compiles the protocol with protox: no protoc is needed on the machine.

use std::path::PathBuf;

use prost::Message as _;

const FILES: [&str; 6] = [
    "mesh/exchange/v1/exchange.proto",
    "mesh/link/v1/link.proto",
    "mesh/directory/v1/directory.proto",
    "mesh/admin/v1/admin.proto",
    "mesh/registry/v1/registry.proto",
    "mesh/catalogue/v1/catalogue.proto",
];

/// Large messages that few frames carry: boxed, so that every frame does not pay for their size.
const RARE: [&str; 6] = [
    ".mesh.exchange.v1.End.signature",
    ".mesh.exchange.v1.HopSection.stamp",
    ".mesh.exchange.v1.Problem.signature",
    ".mesh.link.v1.Close.stamp",
    ".mesh.link.v1.Frame.kind.hello",
    ".mesh.link.v1.Open.signature",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    // Reflection serves the same descriptors that the code was made from.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // `Bytes`, so that a hub slices bodies out of what it received and copies none.
    let config = tonic_prost_build::configure().bytes(".");
    RARE.iter().fold(config, |config, field| config.boxed(field)).compile_fds(descriptors)?;
    Ok(())
}
