//! The own fields of commands about earlier events: holds and charges.

use ledger_core::{
    Command,
    command::{CaptureHold, ExtendHold, Refund, ReleaseHold},
};
use ledger_proto::v1;

use super::{
    Fields,
    fields::{REQUIRED, TargetField},
    mutation::Setting,
};

pub(in crate::grpc) fn extend_hold(
    message: v1::ExtendHoldRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    use v1::extend_hold_request::Target;
    let target = match message.target {
        Some(Target::Hold(name)) => TargetField::Event("hold", name),
        Some(Target::HoldRequestId(id)) => TargetField::Request("hold_request_id", id),
        None => TargetField::Missing("hold"),
    };
    let hold = fields.target(setting.book, &target);
    let has_end = message.hold_expire_time.is_some();
    fields.check(has_end, "hold_expire_time", REQUIRED);
    let end = fields.time("hold_expire_time", message.hold_expire_time);
    Command::ExtendHold(ExtendHold {
        hold,
        hold_expire_time: end.unwrap_or_default(),
    })
}

pub(in crate::grpc) fn capture_hold(
    message: v1::CaptureHoldRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    use v1::capture_hold_request::Target;
    let target = match message.target {
        Some(Target::Hold(name)) => TargetField::Event("hold", name),
        Some(Target::HoldRequestId(id)) => TargetField::Request("hold_request_id", id),
        None => TargetField::Missing("hold"),
    };
    let hold = fields.target(setting.book, &target);
    let amount = part(message.amount, fields);
    Command::CaptureHold(CaptureHold {
        hold,
        amount,
        keep_open: message.keep_open,
    })
}

pub(in crate::grpc) fn release_hold(
    message: v1::ReleaseHoldRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    use v1::release_hold_request::Target;
    let target = match message.target {
        Some(Target::Hold(name)) => TargetField::Event("hold", name),
        Some(Target::HoldRequestId(id)) => TargetField::Request("hold_request_id", id),
        None => TargetField::Missing("hold"),
    };
    Command::ReleaseHold(ReleaseHold {
        hold: fields.target(setting.book, &target),
    })
}

pub(in crate::grpc) fn refund(
    message: v1::RefundRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    use v1::refund_request::Target;
    let target = match message.target {
        Some(Target::Charge(name)) => TargetField::Event("charge", name),
        Some(Target::ChargeRequestId(id)) => TargetField::Request("charge_request_id", id),
        None => TargetField::Missing("charge"),
    };
    let charge = fields.target(setting.book, &target);
    Command::Refund(Refund {
        charge,
        amount: part(message.amount, fields),
    })
}

/// A part of what an earlier event took or reserved; all of it if it is not
/// said.
fn part(amount: Option<i64>, fields: &mut Fields) -> Option<i64> {
    if let Some(amount) = amount {
        fields.at_least("amount", amount, 1);
    }
    amount
}
