//! The sources of the core, for tests that count what is declared there.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every file of `src`, with its text, in the order of the paths.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    gather(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    found.sort();
    found
}

fn gather(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            gather(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a readable source");
            found.push((path, text));
        }
    }
}

/// What stands between `start` and the next `end`, wherever in the sources.
pub(crate) fn between(start: &str, end: &str) -> String {
    let found = sources().into_iter().find_map(|(_, text)| {
        let (_, rest) = text.split_once(start)?;
        Some(rest.split_once(end)?.0.to_owned())
    });
    found.unwrap_or_else(|| panic!("no `{start}` in the sources"))
}
