//! Bad requests, and every violation that they are told; good ones, and the
//! commands that they become.

mod commands;
mod envelope;
mod money;
mod reads;

use ledger_core::{Command, Request, Timestamp};
use ledger_proto::v1;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::{Caller, mutation::ReadCommand, *};

/// 2023-11-14T22:13:20Z.
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
const ID: &str = "01a1f75f-4aa0-86d0-b6b0-61c3b6e7ee97";
const ACCOUNT: &str = "books/b/accounts/a";

const ASSET_RULE: &str = text::ASSET_RULE;
const TIME_RULE: &str = "must be between the years 1 and 9999, nanos between 0 and 999999999";

fn caller() -> Caller {
    Caller::of(&tonic::Request::new(()))
}

/// `field: description` for each violation.
fn violations<T>(result: Result<T, Status>) -> Vec<String> {
    let Err(status) = result else {
        return Vec::new();
    };
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "INVALID_REQUEST");
    let found = details.bad_request().unwrap().field_violations.iter();
    found
        .map(|violation| format!("{}: {}", violation.field, violation.description))
        .collect()
}

fn read<R: Enveloped>(message: R, read: ReadCommand<R>) -> Result<Request, Status> {
    mutation(message, caller(), NOW, read).map(|(_, mut call)| call.requests.remove(0))
}

fn command<R: Enveloped>(message: R, with: ReadCommand<R>) -> Command {
    read(message, with).unwrap().command
}

fn wrong<R: Enveloped>(message: R, with: ReadCommand<R>, expected: &[(&str, &str)]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|(field, rule)| format!("{field}: {rule}"))
        .collect();
    assert_eq!(violations(read(message, with)), expected);
}

fn amount(asset: &str, amount: i64) -> Option<v1::AssetAmount> {
    Some(v1::AssetAmount {
        asset: asset.to_owned(),
        amount,
    })
}

fn money(currency: &str, amount: i64) -> Option<v1::Money> {
    Some(v1::Money {
        currency: currency.to_owned(),
        amount,
    })
}

fn charge_message() -> v1::ChargeRequest {
    v1::ChargeRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        operation: "generate".to_owned(),
        ..Default::default()
    }
}
