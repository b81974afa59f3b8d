//! The `[notices]` block.

use super::context::Context;
use super::model::Notices;
use super::reader::Section;
use super::{list, map};

/// Reads what users are told before it is too late.
pub(super) fn read(root: &Section<'_>, context: &mut Context<'_>) -> Notices {
    let Some(section) = root
        .optional("notices")
        .and_then(|node| node.section(&["expiry_before", "low_balance"], &mut context.report))
    else {
        return Notices::default();
    };
    Notices {
        expiry_before_us: list::before(&section, "expiry_before", &mut context.report),
        low_balance: map::by_asset(&section, "low_balance", context),
    }
}
