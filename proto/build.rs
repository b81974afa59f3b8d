//! Compiles the protobuf files in pure Rust: no `protoc` is needed.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 7] = [
    // What `details` of an error hold, for whoever reads them by reflection.
    "google/rpc/error_details.proto",
    "ledger/v1/account_service.proto",
    "ledger/v1/catalog_service.proto",
    "ledger/v1/event_service.proto",
    "ledger/v1/finance_service.proto",
    "ledger/v1/ledger_service.proto",
    "ledger/v1/payment_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=ledger");
    println!("cargo:rerun-if-changed=google");
    let descriptors = protox::compile(FILES, ["."])?;
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let bytes = prost_encode(&descriptors);
    fs::write(out_dir.join("ledger_descriptor.bin"), bytes)?;
    tonic_prost_build::configure()
        .extern_path(".google.rpc", "::tonic_types")
        .btree_map(".")
        .codec_path("crate::codec::SmallBuffersCodec")
        .compile_fds(descriptors)?;
    Ok(())
}

fn prost_encode(descriptors: &tonic_prost_build::FileDescriptorSet) -> Vec<u8> {
    use protox::prost::Message as _;
    descriptors.encode_to_vec()
}
