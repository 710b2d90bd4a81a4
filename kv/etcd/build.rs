//! Rust from `proto/*.proto`. No program but the compiler is needed: protox reads the files.

#[cfg(feature = "server")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    const FILES: [&str; 7] = [
        "kv_service.proto",
        "watch.proto",
        "lease.proto",
        "cluster.proto",
        "maintenance.proto",
        "auth_service.proto",
        "health.proto",
    ];
    println!("cargo::rerun-if-changed=proto");
    let messages = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure()
        // What a client sent is not copied again: keys and values share the memory that it arrived in.
        .bytes(".")
        // The store's own, which is the same on the wire.
        .extern_path(".mvccpb.KeyValue", "crate::mvcc::KeyValue")
        .build_transport(false)
        .compile_fds(messages)?;
    Ok(())
}

#[cfg(not(feature = "server"))]
fn main() {}
