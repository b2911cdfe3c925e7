//! Compiles the service of the unary contender with protox.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["mesh/bench/v1/bench.proto"], ["proto"])?;
    // `Bytes`, as in the protocol itself, so that this contender copies no more than the other.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
