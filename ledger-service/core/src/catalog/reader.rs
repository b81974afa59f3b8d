//! Reading a TOML tree by hand: every value knows its place, every mistake is
//! put into one [`Report`], and a reader that gets `None` just goes on.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::duration;
use super::report::{Place, Report};
use super::shape::Shape;

/// A value at its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    /// Where it stands.
    pub(super) place: Place,
    value: &'a DeValue<'a>,
}

impl<'a> Node<'a> {
    /// The string.
    pub(super) fn string(&self, report: &mut Report) -> Option<&'a str> {
        let string = self.value.as_str();
        self.expect(string, "a string", report)
    }

    /// The string, if it has the shape.
    pub(super) fn shaped(&self, shape: &Shape, report: &mut Report) -> Option<String> {
        let string = self.string(report)?;
        report
            .shape(string, shape, &self.place)
            .then(|| string.to_owned())
    }

    /// The value that the string stands for.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)], report: &mut Report) -> Option<T> {
        let string = self.string(report)?;
        let chosen = choices
            .iter()
            .find(|(name, _)| *name == string)
            .map(|(_, value)| *value);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            report.add(&self.place, format!("must be one of {}", names.join(", ")));
        }
        chosen
    }

    /// The duration, in microseconds, if it is within the range.
    pub(super) fn duration(&self, range: &RangeInclusive<i64>, report: &mut Report) -> Option<i64> {
        let string = self.string(report)?;
        let Some(duration_us) = duration::parse(string) else {
            report.add(
                &self.place,
                "must be a whole number and s, m, h or d, like \"15m\"",
            );
            return None;
        };
        self.within(duration_us, range, duration::render, report)
    }

    /// The flag.
    pub(super) fn boolean(&self, report: &mut Report) -> Option<bool> {
        let flag = self.value.as_bool();
        self.expect(flag, "true or false", report)
    }

    /// The integer, if it is within the range.
    pub(super) fn integer(&self, range: &RangeInclusive<i64>, report: &mut Report) -> Option<i64> {
        let integer = self.value.as_integer();
        let integer = self.expect(integer, "an integer", report)?;
        let beyond = if integer.as_str().starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        };
        let value = i64::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(beyond);
        self.within(value, range, |bound| bound.to_string(), report)
    }

    /// The amount in minor units, if it is within the range.
    pub(super) fn amount(&self, range: &RangeInclusive<i64>, report: &mut Report) -> Option<i64> {
        if self.value.is_float() {
            report.add(
                &self.place,
                "must be an integer, not a float: amounts are whole minor units",
            );
            return None;
        }
        self.integer(range, report)
    }

    /// The items of the array, if there are not too many.
    pub(super) fn items(
        &self,
        range: &RangeInclusive<usize>,
        report: &mut Report,
    ) -> Option<Vec<Node<'a>>> {
        let array = self.value.as_array();
        let array = self.expect(array, "an array", report)?;
        if !range.contains(&array.len()) {
            let message = match range.start() {
                0 => format!("must have {} items or less", range.end()),
                least => format!("must have {least} to {} items", range.end()),
            };
            report.add(&self.place, message);
            return None;
        }
        self.array_items()
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The items, if it is an array.
    pub(super) fn array_items(&self) -> Option<Vec<Self>> {
        let items = self.value.as_array()?.iter().enumerate();
        let item = |(index, item): (usize, &'a Spanned<DeValue<'a>>)| Self {
            place: self.place.item(index, item.span().start),
            value: item.get_ref(),
        };
        Some(items.map(item).collect())
    }

    /// The table.
    pub(super) fn table(&self, report: &mut Report) -> Option<Section<'a>> {
        let table = self.value.as_table();
        let table = self.expect(table, "a table", report)?;
        Some(Section {
            place: self.place.clone(),
            table,
        })
    }

    /// The table, if it is one; keys that are not `known` are refused.
    pub(super) fn section(&self, known: &[&str], report: &mut Report) -> Option<Section<'a>> {
        let section = self.table(report)?;
        section.refuse_unknown(known, report);
        Some(section)
    }

    fn expect<T>(&self, value: Option<T>, what: &str, report: &mut Report) -> Option<T> {
        if value.is_none() {
            let article = match self.value {
                DeValue::Integer(_) | DeValue::Array(_) => "an",
                _ => "a",
            };
            report.add(
                &self.place,
                format!("must be {what}, not {article} {}", self.value.type_str()),
            );
        }
        value
    }

    fn within<S: Display>(
        &self,
        value: i64,
        range: &RangeInclusive<i64>,
        render: impl Fn(i64) -> S,
        report: &mut Report,
    ) -> Option<i64> {
        if value < *range.start() {
            report.add(
                &self.place,
                format!("must be {} or more", render(*range.start())),
            );
        } else if value > *range.end() {
            report.add(
                &self.place,
                format!("must be {} or less", render(*range.end())),
            );
        } else {
            return Some(value);
        }
        None
    }
}

/// A table at its place.
#[derive(Clone, Debug)]
pub(super) struct Section<'a> {
    /// Where it stands.
    pub(super) place: Place,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(super) fn root(table: &'a DeTable<'a>) -> Self {
        Self {
            place: Place::root(),
            table,
        }
    }

    /// How many keys it has.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The value of a key, if it is given.
    pub(super) fn optional(&self, key: &str) -> Option<Node<'a>> {
        let value = self.table.get(key)?;
        Some(Node {
            place: self.place.key(key, value.span().start),
            value: value.get_ref(),
        })
    }

    /// The value of a key; it is a problem if it is not given.
    pub(super) fn required(&self, key: &str, report: &mut Report) -> Option<Node<'a>> {
        let node = self.optional(key);
        if node.is_none() {
            self.missing(key, "is required", report);
        }
        node
    }

    /// Where the value of a key stands; the table, if it is not given.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.optional(key)
            .map_or_else(|| self.place.clone(), |node| node.place)
    }

    /// Says that a key is not given.
    pub(super) fn missing(&self, key: &str, message: &str, report: &mut Report) {
        report.add(&self.place.member(key), message);
    }

    /// Every key with the place to point at when it is wrong, and its value.
    pub(super) fn entries(&self) -> Vec<(&'a str, Place, Node<'a>)> {
        let entry = |(key, value): (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
            let name: &str = key.get_ref();
            let place = self.place.key(name, key.span().start);
            (
                name,
                place,
                Node {
                    place: self.place.key(name, value.span().start),
                    value: value.get_ref(),
                },
            )
        };
        self.table.iter().map(entry).collect()
    }

    /// Says which keys are not `known`.
    pub(super) fn refuse_unknown(&self, known: &[&str], report: &mut Report) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let place = self.place.key(name, key.span().start);
                report.unknown(&place, "unknown key", name, known.iter().copied());
            }
        }
    }
}
