//! The ledger's API, `ledger.v1`: generated messages, clients and servers, and
//! the few things that every client needs beside them.

pub mod codec;
pub mod request_id;

/// Package `ledger.v1`, generated from `proto/ledger/v1/*.proto`, which carry
/// the documentation of every message and field.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("ledger.v1");
}

/// The encoded `FileDescriptorSet` of the API, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/ledger_descriptor.bin"));
