//! What `docs/moving-in.md` says is there: every method, message, field, reason
//! and section of a catalog that it names as ours, looked up where it is declared.
#![cfg(test)]

use std::{collections::BTreeSet, fs};

use e2e_tests::in_workspace;
use ledger_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet};

/// What the document promises for later, in rows marked `soon`. Whoever brings
/// one takes it out here, and the mark out there.
const SOON: [&str; 5] = [
    "CreatePromoCampaign",
    "CreateReferralCode",
    "GeneratePromoCodes",
    "GetReferralStatistics",
    "RedeemPromoCode",
];

/// Where else names are declared.
const TEXTS: [&str; 3] = ["docs/api.md", "docs/catalog.md", "docs/operations.md"];

/// Sections of catalogs that the document names by their path.
const SECTIONS: [&str; 7] = [
    "assets",
    "confirm_above",
    "limits",
    "operations",
    "packages",
    "subscriptions",
    "top_up",
];

/// The names of the API.
#[derive(Default)]
struct Api {
    methods: BTreeSet<String>,
    messages: BTreeSet<String>,
    /// `Message.field`, and `.field` of any message.
    fields: BTreeSet<String>,
    values: BTreeSet<String>,
}

impl Api {
    fn load() -> Self {
        let mut api = Self::default();
        let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
        for file in files.iter().filter(|file| file.package() == "ledger.v1") {
            let methods = file.service.iter().flat_map(|service| &service.method);
            api.methods.extend(methods.map(|it| it.name().to_owned()));
            let values = file.enum_type.iter().flat_map(|it| &it.value);
            api.values.extend(values.map(|it| it.name().to_owned()));
            for message in &file.message_type {
                api.add(message);
            }
        }
        api
    }

    fn add(&mut self, message: &DescriptorProto) {
        let values = message.enum_type.iter().flat_map(|it| &it.value);
        self.values.extend(values.map(|it| it.name().to_owned()));
        self.messages.insert(message.name().to_owned());
        for field in &message.field {
            self.fields.insert(format!(".{}", field.name()));
            let own = format!("{}.{}", message.name(), field.name());
            self.fields.insert(own);
        }
        for nested in &message.nested_type {
            self.add(nested);
        }
    }

    fn has_named(&self, name: &str) -> bool {
        self.methods.contains(name) || self.messages.contains(name)
    }

    /// `Message.field`, or `Method.field` of its request, and of what is in it.
    fn has_field(&self, message: &str, path: &str) -> bool {
        let mut fields = path.split('.');
        let first = fields.next().unwrap_or_default();
        let owners = [message.to_owned(), format!("{message}Request")];
        let has_first = owners
            .iter()
            .any(|owner| self.fields.contains(&format!("{owner}.{first}")));
        has_first && fields.all(|field| self.fields.contains(&format!(".{field}")))
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(in_workspace(path)).unwrap()
}

/// The words between backticks, each up to what is given to it.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('`').skip(1).step_by(2);
    inside.map(|word| word.split(['(', ' ', '=']).next().unwrap_or_default())
}

/// The names that a line of the document calls ours: in a table those of the
/// second column, in an example the methods.
fn names(line: &str, is_example: bool) -> Vec<&str> {
    if is_example {
        let words = line.split([' ', ',']).map(|word| {
            let (service, method) = word.split_once('/').unwrap_or(("", word));
            if service.ends_with("Service") || is_camel(method) {
                method
            } else {
                ""
            }
        });
        return words.filter(|word| is_camel(word)).collect();
    }
    match line.strip_prefix("| ") {
        Some(row) => quoted(row.split(" | ").nth(1).unwrap_or_default()).collect(),
        None => quoted(line).collect(),
    }
}

fn is_camel(word: &str) -> bool {
    let mut letters = word.chars();
    letters
        .next()
        .is_some_and(|letter| letter.is_ascii_uppercase())
        && word.chars().all(|letter| letter.is_ascii_alphabetic())
        && word.chars().any(|letter| letter.is_ascii_lowercase())
}

fn is_upper(word: &str) -> bool {
    word.len() > 2 && word.chars().all(|it| it.is_ascii_uppercase() || it == '_')
}

/// Whether a catalog of ours has the section, one in it, or the key of one.
fn is_in_catalogs(path: &str, catalogs: &str) -> bool {
    let path = path.trim_matches(['[', ']']);
    let has = |path: &str| {
        let forms = [format!("[{path}]"), format!("[{path}.")];
        forms.iter().any(|form| catalogs.contains(form))
    };
    let of_section = path.rsplit_once('.').is_some_and(|(section, key)| {
        let mut lines = catalogs.lines();
        has(section) && lines.any(|line| line.starts_with(&format!("{key} =")))
    });
    has(path) || of_section
}

#[test]
fn what_it_names_is_there() {
    let api = Api::load();
    let catalogs: String = fs::read_dir(in_workspace("ledger-service/catalogs"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let texts: String = TEXTS.iter().map(|path| read(path)).collect();
    let (mut missing, mut found, mut is_example) = (Vec::new(), 0, false);
    for (index, line) in read("docs/moving-in.md").lines().enumerate() {
        if line.starts_with("```") {
            is_example = !is_example;
            continue;
        }
        for name in names(line, is_example) {
            let is_there = if SOON.contains(&name) {
                is_example || line.contains("| soon") || !line.starts_with('|')
            } else if is_camel(name) {
                api.has_named(name)
            } else if is_upper(name) {
                api.values.contains(name) || texts.contains(name) || catalogs.contains(name)
            } else if let Some((message, path)) = name.split_once('.')
                && is_camel(message)
            {
                api.has_field(message, path)
            } else if name.starts_with('[')
                || SECTIONS.contains(&name.split('.').next().unwrap_or_default())
            {
                is_in_catalogs(name, &catalogs)
            } else {
                continue;
            };
            found += 1;
            if !is_there {
                missing.push(format!("line {}: `{name}`", index + 1));
            }
        }
    }
    assert!(found > 200, "only {found} names were looked up");
    assert!(missing.is_empty(), "not there:\n{}", missing.join("\n"));
}

#[test]
fn what_is_promised_for_later_is_not_there_yet() {
    let api = Api::load();
    let there: Vec<_> = SOON.iter().filter(|name| api.has_named(name)).collect();
    assert!(there.is_empty(), "there by now: {there:?}");
}
