//! The language of the scenarios: `scenarios/README.md` describes it. Knows
//! nothing of what carries requests out, so that the tests of other packages
//! include it too.
#![allow(dead_code, reason = "each test uses its share of it")]

pub(crate) mod clock;
pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod payment;
pub(crate) mod render;
pub(crate) mod teller;

use std::collections::BTreeMap;

/// A file of scenarios.
pub(crate) struct Scenario {
    pub(crate) title: String,
    pub(crate) catalog: String,
    pub(crate) steps: Vec<Step>,
}

/// A line that does something, and what is expected of it.
#[derive(Clone)]
pub(crate) struct Step {
    /// Its number in the file.
    pub(crate) line: usize,
    pub(crate) words: Words,
    /// The lines below it, without the indentation.
    pub(crate) expected: Vec<String>,
}

/// A line in words: those that stand alone, and those of the form `key=value`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    plain: Vec<String>,
    options: BTreeMap<String, String>,
    /// How many plain words have been asked for, at most.
    used: std::cell::Cell<usize>,
}

impl Words {
    pub(crate) fn parse(text: &str) -> Self {
        let mut words = Self::default();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) => {
                    let value = value.replace("%20", " ");
                    let before = words.options.insert(key.to_owned(), value);
                    assert!(before.is_none(), "`{key}` twice in `{text}`");
                }
                None => words.plain.push(word.to_owned()),
            }
        }
        words
    }

    /// The word at an index; every line says what it needs.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.find(index)
            .unwrap_or_else(|| panic!("word {index} is missing in {:?}", self.plain))
    }

    pub(crate) fn find(&self, index: usize) -> Option<&str> {
        let word = self.plain.get(index)?;
        self.used.set(self.used.get().max(index + 1));
        Some(word)
    }

    /// Whether the last word is this one; it is not part of the others then.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let place = self.plain.iter().position(|word| word == name);
        place.map(|index| self.plain.remove(index)).is_some()
    }

    pub(crate) fn option(&mut self, key: &str) -> Option<String> {
        self.options.remove(key)
    }

    /// The options whose keys begin with `prefix`, without it.
    pub(crate) fn options(&mut self, prefix: &str) -> BTreeMap<String, String> {
        let of_prefix = |key: &String| key.starts_with(prefix);
        let keys: Vec<String> = self
            .options
            .keys()
            .filter(|key| of_prefix(key))
            .cloned()
            .collect();
        keys.into_iter()
            .map(|key| {
                let value = self.options.remove(&key).unwrap_or_default();
                (key.replacen(prefix, "", 1), value)
            })
            .collect()
    }

    /// Every word was understood.
    pub(crate) fn finish(&self) {
        assert!(
            self.options.is_empty(),
            "unknown options {:?}",
            self.options.keys()
        );
        assert_eq!(
            self.used.get(),
            self.plain.len(),
            "a word too many in {:?}",
            self.plain
        );
    }
}

/// Reads a file.
pub(crate) fn parse(text: &str) -> Vec<Scenario> {
    let mut scenarios = parse_once(text);
    for scenario in &mut scenarios {
        scenario.steps = scenario.steps.drain(..).flat_map(repeated).collect();
    }
    scenarios
}

/// A step as often as its `repeat=` says.
fn repeated(mut step: Step) -> Vec<Step> {
    let times = step.words.option("repeat");
    let times = times.map_or(1, |text| text.parse().expect("how often"));
    vec![step; times]
}

fn parse_once(text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.split(" # ").next().unwrap_or_default().trim_end();
        if content.trim().is_empty() || content.starts_with('#') {
            continue;
        }
        if let Some(title) = content.strip_prefix("scenario ") {
            let catalog = "plain".to_owned();
            scenarios.push(Scenario {
                title: title.to_owned(),
                catalog,
                steps: Vec::new(),
            });
            continue;
        }
        let scenario = scenarios
            .last_mut()
            .expect("a file begins with `scenario TITLE`");
        if let Some(name) = content.strip_prefix("catalog ") {
            assert!(
                scenario.steps.is_empty(),
                "line {}: the catalog comes first",
                index + 1
            );
            name.trim().clone_into(&mut scenario.catalog);
        } else if content.starts_with(' ') {
            let step = scenario
                .steps
                .last_mut()
                .expect("what is expected stands below a command");
            step.expected
                .push(content.split_whitespace().collect::<Vec<_>>().join(" "));
        } else {
            let words = Words::parse(content);
            scenario.steps.push(Step {
                line: index + 1,
                words,
                expected: Vec::new(),
            });
        }
    }
    scenarios
}
