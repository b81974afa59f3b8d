//! Where the scenarios and their catalogs are, whichever package's tests ask.

use std::{
    fs,
    path::{Path, PathBuf},
};

const SCENARIOS: &str = "ledger-service/core/tests/scenarios";

/// The folder of the scenarios.
pub(crate) fn folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .ancestors()
        .map(|folder| folder.join(SCENARIOS))
        .find(|folder| folder.is_dir())
        .expect("the folder of the scenarios")
}

/// Every file of scenarios, in the order of the names.
pub(crate) fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder of the scenarios");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

/// The file of this name.
pub(crate) fn file(name: &str) -> PathBuf {
    folder().join(name).with_extension("txt")
}

/// The text of a catalog: one of the tests' own, or, as `seeds/NAME`, one that
/// the service comes with.
pub(crate) fn catalog_text(name: &str) -> String {
    let path = match name.strip_prefix("seeds/") {
        Some(seed) => folder()
            .join("../../../catalogs")
            .join(format!("{seed}.toml")),
        None => folder().join("catalogs").join(format!("{name}.toml")),
    };
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Gives each file a test of its name, which `$test` is, and sees to it that
/// none is left out.
#[allow(unused_macros, reason = "each test uses its share of it")]
macro_rules! scenarios {
    ($test:ident: $($file:ident)*) => {
        $($test!($file);)*

        #[test]
        fn every_file_has_its_test() {
            let named: Vec<std::path::PathBuf> = [$(stringify!($file)),*]
                .iter()
                .map(|name| crate::language::files::file(name))
                .collect();
            assert_eq!(crate::language::files::files(), named);
        }
    };
}
#[allow(unused_imports, reason = "each test uses its share of it")]
pub(crate) use scenarios;
