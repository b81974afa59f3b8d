//! Ids of requests as PostgreSQL's `uuid`: 16 bytes, half of its text, and
//! readable in a shell.

use ledger_core::RequestId;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, Postgres};
use sqlx::types::Type;

/// A request's id as a parameter. As a result it comes by `uuid_send(…)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PgUuid(pub(super) RequestId);

impl Type<Postgres> for PgUuid {
    fn type_info() -> PgTypeInfo {
        // From pg_type.dat, where it never changes.
        PgTypeInfo::with_oid(Oid(2950))
    }
}

impl PgHasArrayType for PgUuid {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(2951))
    }
}

impl Encode<'_, Postgres> for PgUuid {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0.0);
        Ok(IsNull::No)
    }
}
