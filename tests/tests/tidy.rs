//! What reviewers would have to look for by hand: layers, twins, leftovers,
//! sizes. Text checks over the tree; none of them runs the program.
#![cfg(test)]

use e2e_tests::{in_workspace, workspace};
use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

/// A file that is longer hides something from its reader.
const LINES_MAX: usize = 600;
/// Files that are longer all the same, with the length they may have. Numbers
/// here only go down.
const LONGER: [(&str, usize); 1] = [("ledger-service/core/tests/properties.rs", 653)];
/// What is not ours, or not kept.
const SKIPPED: [&str; 6] = [
    "target",
    "run",
    ".git",
    "node_modules",
    "__pycache__",
    "google",
];
/// Extensions of text that people here write.
const TEXT: [&str; 13] = [
    "rs", "toml", "proto", "sql", "sh", "py", "md", "json", "yaml", "yml", "txt", "html", "service",
];

/// A file of the tree: its path from the root, with slashes, and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = Path::new(&self.path)
            .extension()
            .and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    }

    /// The lines that are code, with their numbers from 1: comments are left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// `path:line: line` for the lines of code that have a word of `words`.
    fn code_with_word(&self, words: &[&str]) -> Vec<String> {
        let found = self.code().filter(|(_, line)| {
            let mut in_line = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            in_line.any(|word| words.contains(&word))
        });
        found
            .map(|(number, line)| format!("{}:{number}: {}", self.path, line.trim()))
            .collect()
    }
}

/// Every text file under a directory of the workspace.
fn files(directory: &str) -> Vec<File> {
    let mut found = Vec::new();
    collect(&in_workspace(directory), &mut found);
    assert!(!found.is_empty(), "there are no files in {directory}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(directory: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                collect(&path, found);
            }
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let known = extension.is_some_and(|extension| TEXT.contains(&extension));
        if known || ["Makefile", "Dockerfile", "run"].contains(&name.as_str()) {
            let from_root = path.strip_prefix(workspace()).unwrap();
            found.push(File {
                path: from_root.to_string_lossy().replace('\\', "/"),
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
}

fn rust_files() -> Vec<File> {
    let mut found = files(".");
    found.retain(|file| file.has_extension(&["rs"]));
    found
}

/// `path:line: line` for the lines that fulfil a condition.
fn lines_that(files: &[File], condition: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            if condition(line) {
                found.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    found
}

fn nothing(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}\n  {}", found.join("\n  "));
}

/// The names of everything that a package needs to run, itself included.
fn dependencies(package: &str) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--package",
            package,
        ])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).unwrap();
    tree.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn has_none_of(package: &str, forbidden: &[&str]) {
    let dependencies = dependencies(package);
    let found: Vec<&&str> = forbidden
        .iter()
        .filter(|&&name| dependencies.contains(name))
        .collect();
    assert!(found.is_empty(), "{package} must not depend on {found:?}");
}

#[test]
fn the_core_knows_nothing_of_ours_and_does_no_io() {
    has_none_of(
        "ledger-core",
        &[
            "ledger-proto",
            "ledger-service",
            "bot-gateway",
            "axum",
            "hyper",
            "mio",
            "reqwest",
            "sqlx",
            "tokio",
            "tonic",
        ],
    );
}

#[test]
fn the_api_knows_nothing_of_ours() {
    has_none_of(
        "ledger-proto",
        &["ledger-core", "ledger-service", "bot-gateway"],
    );
}

#[test]
fn the_gateway_knows_the_ledger_by_its_api_only() {
    has_none_of("bot-gateway", &["ledger-core", "ledger-service"]);
}

#[test]
fn nothing_links_openssl() {
    for package in ["ledger-service", "bot-gateway"] {
        has_none_of(package, &["openssl", "openssl-sys", "native-tls"]);
    }
}

/// Lines of the service that use a crate outside of the places given.
fn used_outside(crates: &[&str], places: &[&str]) -> Vec<String> {
    let source = "ledger-service/src/";
    files(source)
        .iter()
        .filter(|file| {
            !places
                .iter()
                .any(|place| file.path[source.len()..].starts_with(place))
        })
        .flat_map(|file| file.code_with_word(crates))
        .collect()
}

#[test]
fn the_api_appears_only_at_the_edge() {
    let found = used_outside(
        &[
            "tonic",
            "tonic_health",
            "tonic_reflection",
            "tonic_types",
            "ledger_proto",
            "prost_types",
        ],
        &["grpc/", "grpc.rs", "cli/", "cli.rs", "main.rs"],
    );
    nothing(
        &found,
        "tonic and the types of the API belong to grpc/ (and cli/, which wires it):",
    );
}

#[test]
fn sql_appears_only_in_stores_and_projections() {
    let found = used_outside(
        &["sqlx"],
        &["store/", "store.rs", "projections/", "projections.rs"],
    );
    nothing(&found, "sqlx belongs to store/ and projections/:");
}

#[test]
fn migrations_are_twins() {
    let names = |kind: &str| -> BTreeSet<String> {
        let directory = in_workspace("migrations").join(kind);
        let entries = fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert!(!sqlite.is_empty(), "there are no migrations");
    assert_eq!(
        sqlite, postgres,
        "each migration has a twin of the same name"
    );
}

#[test]
fn there_are_no_leftovers() {
    // Put together, so that this file isn't one.
    let words = [concat!("FIX", "ME"), concat!("XX", "X")];
    let calls = [concat!("db", "g!("), concat!("to", "do!(")];
    let is_leftover = |line: &str| {
        let mut in_line = line.split(|letter: char| !letter.is_alphanumeric());
        calls.iter().any(|call| line.contains(call)) || in_line.any(|word| words.contains(&word))
    };
    let found = lines_that(&files("."), is_leftover);
    nothing(&found, "leftovers:");
}

#[test]
fn no_test_is_switched_off() {
    let mark = concat!("#[", "ignore");
    let files = rust_files();
    let found: Vec<String> = files
        .iter()
        .filter(|file| file.code().any(|(_, line)| line.contains(mark)))
        .map(|file| file.path.clone())
        .collect();
    nothing(&found, "repair the test or remove it:");
}

#[test]
fn no_source_file_is_too_long() {
    let found: Vec<String> = files(".")
        .iter()
        .filter(|file| file.has_extension(&["rs", "py", "sh", "sql"]))
        .filter_map(|file| {
            let longer = LONGER.iter().find(|(path, _)| *path == file.path);
            let lines_max = longer.map_or(LINES_MAX, |(_, lines)| *lines);
            let lines = file.text.lines().count();
            (lines > lines_max).then(|| format!("{}: {lines} lines of {lines_max}", file.path))
        })
        .collect();
    nothing(&found, "split these, by what their parts are about:");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let mut roots: Vec<String> = ["root", "home", "Users", "work"]
        .iter()
        .flat_map(|root| {
            ["\"", "'", " ", "=", "`", "(", ":"].map(|before| format!("{before}/{root}/"))
        })
        .collect();
    roots.push(format!("{}/", workspace().display()));
    let found = lines_that(&files("."), |line| {
        roots.iter().any(|root| line.contains(root))
    });
    nothing(&found, "paths of one machine:");
}

/// `GetBalance` as `get_balance`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[test]
fn every_method_of_the_api_is_implemented() {
    let service = files("ledger-service/src/grpc");
    let implemented = |method: &str| {
        let signature = format!("async fn {}(", snake_case(method));
        service.iter().any(|file| file.text.contains(&signature))
    };
    let found: Vec<String> = files("proto/ledger")
        .iter()
        .flat_map(|file| file.text.lines())
        .filter_map(|line| line.trim_start().strip_prefix("rpc "))
        .filter_map(|line| line.split('(').next())
        .filter(|method| !implemented(method))
        .map(str::to_owned)
        .collect();
    nothing(
        &found,
        "methods of proto/ without an implementation in ledger-service/src/grpc:",
    );
}

#[test]
fn no_method_of_the_api_answers_unimplemented() {
    let found: Vec<String> = files("ledger-service/src")
        .iter()
        .flat_map(|file| file.code_with_word(&["unimplemented", "Unimplemented"]))
        .collect();
    nothing(&found, "methods that are declared and not there:");
}

#[test]
fn every_rust_file_says_what_it_is_about() {
    let files = rust_files();
    let silent = files.iter().filter(|file| !file.text.starts_with("//!"));
    let found: Vec<String> = silent.map(|file| file.path.clone()).collect();
    nothing(&found, "these do not begin with a //! line:");
}
