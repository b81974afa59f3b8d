//! From an error to the line that scenarios expect.

use std::collections::{BTreeSet, HashMap};

use ledger_core::Timestamp;
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::{answer::id, language::render::time};

/// Facts that are told only if there are any: never more of them than the
/// scenario expects.
const OPTIONAL: [(&str, &str); 3] = [
    ("top_up_amount", "top_up"),
    ("package", "package"),
    ("next_free_time", "free"),
];

/// The stable reason of an error; its message if it has none.
pub(crate) fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details.error_info().map_or_else(
        || format!("{:?}: {}", status.code(), status.message()),
        |info| info.reason.clone(),
    )
}

/// The reason, and of the facts those that the expected line tells.
pub(crate) fn line(status: &Status, expected: &str) -> String {
    let details = status.get_error_details();
    let metadata = details.error_info().map(|info| info.metadata.clone());
    let metadata = metadata.unwrap_or_default();
    let mut keys: Vec<&str> = expected
        .split(' ')
        .filter_map(|word| Some(word.split_once('=')?.0))
        .collect();
    let known: BTreeSet<&str> = keys.iter().copied().collect();
    let extra = OPTIONAL.iter().filter(|(fact, key)| {
        // Of a limit or a package that the refusal is about, the scenario tells.
        metadata.contains_key(*fact)
            && !known.contains(key)
            && reason(status) == "INSUFFICIENT_FUNDS"
    });
    keys.extend(extra.map(|(_, key)| *key));
    let mut line = format!("refused {}", reason(status));
    for key in keys {
        line += &format!(" {key}={}", fact(&metadata, key));
    }
    if reason(status) == "INVALID_REQUEST" {
        let fields = details.bad_request().map(|bad| &bad.field_violations);
        let fields = fields.into_iter().flatten();
        let fields: Vec<&str> = fields.map(|field| field.field.as_str()).collect();
        line += &format!(" fields={}", fields.join(","));
    }
    line
}

fn fact(metadata: &HashMap<String, String>, key: &str) -> String {
    let get = |name: &str| metadata.get(name).cloned();
    if key == "top_up" {
        let currency = get("top_up_currency").unwrap_or_default();
        let amount = get("top_up_amount").unwrap_or_default();
        let own = get("asset") == Some(currency.clone());
        return if own {
            amount
        } else {
            format!("{amount} {currency}")
        };
    }
    if key == "free" {
        return moment(&get("next_free_time").unwrap_or_default());
    }
    let names = [key.to_owned(), format!("{key}_amount")];
    let Some(value) = names.iter().find_map(|name| get(name)) else {
        return "?".to_owned();
    };
    if key.ends_with("_time") {
        return moment(&value);
    }
    if key == "allowed" {
        return value.replace(", ", ",");
    }
    id(&value).to_owned()
}

/// `T+1d2h` of an RFC 3339 time.
fn moment(text: &str) -> String {
    let at: prost_types::Timestamp = text.parse().unwrap();
    time(Timestamp(
        at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000,
    ))
}
