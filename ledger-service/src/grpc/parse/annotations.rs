//! What a caller says about a request.

use std::collections::BTreeMap;

use ledger_core::{
    Timestamp,
    event::{Annotations, Reason},
};
use ledger_proto::v1;

use super::{
    fields::{Fields, REQUIRED},
    text,
};

/// How many entries metadata may have.
const ENTRIES_MAX: usize = 16;
/// How long a key may be, in characters.
const KEY_CHARS_MAX: usize = 64;
/// How long a value or a reason's text may be, in bytes.
const TEXT_BYTES_MAX: usize = 512;
/// How far a caller's clock may be ahead: a minute, in microseconds.
const FUTURE_US_MAX: i64 = 60 * 1_000_000;

const METADATA: &str = "annotations.metadata";

impl Fields {
    /// What a caller says about a request.
    pub(super) fn annotations(
        &mut self,
        annotations: Option<v1::Annotations>,
        now: Timestamp,
    ) -> Annotations {
        let Some(annotations) = annotations else {
            return Annotations::default();
        };
        let v1::Annotations {
            external_id,
            metadata,
            occur_time,
            person,
            reason,
        } = annotations;
        self.check(
            text::is_name(&external_id),
            "annotations.external_id",
            text::NAME_RULE,
        );
        self.check(
            text::is_name(&person),
            "annotations.person",
            text::NAME_RULE,
        );
        self.metadata(&metadata);
        let occurred_at = self.time("annotations.occur_time", occur_time);
        let is_past = occurred_at.is_none_or(|time| time.us_since(now) <= FUTURE_US_MAX);
        self.check(
            is_past,
            "annotations.occur_time",
            "must not be in the future",
        );
        Annotations {
            external_id: filled(external_id),
            metadata,
            occurred_at,
            person: filled(person),
            reason: self.reason(reason),
        }
    }

    /// A person and a reason, for what needs both.
    pub(super) fn require_person(&mut self, annotations: &Annotations) {
        self.check(annotations.person.is_some(), "annotations.person", REQUIRED);
    }

    /// A reason, for what needs one. One without a code is refused already.
    pub(super) fn require_reason(&mut self, annotations: &Annotations) {
        self.check(
            annotations.reason.is_some(),
            "annotations.reason.code",
            REQUIRED,
        );
    }

    fn metadata(&mut self, metadata: &BTreeMap<String, String>) {
        self.check(
            metadata.len() <= ENTRIES_MAX,
            METADATA,
            "must have at most 16 entries",
        );
        let is_key = |key: &String| {
            !key.is_empty() && text::has_chars(key, KEY_CHARS_MAX) && !text::has_nul(key)
        };
        let keys = metadata.keys().all(is_key);
        self.check(
            keys,
            METADATA,
            "keys must be 1 to 64 characters, without U+0000",
        );
        let is_value = |value: &String| value.len() <= TEXT_BYTES_MAX && !text::has_nul(value);
        let values = metadata.values().all(is_value);
        self.check(
            values,
            METADATA,
            "values must be at most 512 bytes, without U+0000",
        );
    }

    fn reason(&mut self, reason: Option<v1::Reason>) -> Option<Reason> {
        let v1::Reason { code, text } = reason?;
        if code.is_empty() && text.is_empty() {
            return None;
        }
        self.check(
            text::is_code(&code),
            "annotations.reason.code",
            text::CODE_RULE,
        );
        let is_short = text.len() <= TEXT_BYTES_MAX && !text::has_nul(&text);
        let rule = "must be at most 512 bytes, without U+0000";
        self.check(is_short, "annotations.reason.text", rule);
        Some(Reason {
            code: code.into(),
            text: filled(text),
        })
    }
}

/// A text, if there is any.
pub(super) fn filled<T: From<String>>(text: String) -> Option<T> {
    (!text.is_empty()).then(|| text.into())
}
