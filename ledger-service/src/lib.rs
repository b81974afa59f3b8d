//! The ledger service: an event log for prepaid billing, its balances, and the
//! gRPC API over both.
//!
//! Layers, each knowing only the next: `grpc` → `engine` → `store` → core.
//! `projections` are read models that are built from the log in the
//! background.

pub mod background;
pub mod cli;
pub mod engine;
pub mod grpc;
pub mod limits;
pub mod projections;
pub mod store;
