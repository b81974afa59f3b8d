//! `ledger-service catalog`, as an operator uses it.
#![cfg(test)]

use std::{fs, time::Duration};

use e2e_tests::{
    ledger::{Ledger, Options},
    process::{Finished, Program},
};

/// A command looks at one catalog.
const DEADLINE: Duration = Duration::from_secs(30);

const CATALOG: &str = "schema = 1\nbook = \"shop\"\n\n[assets.TOKEN]\nkind = \"credits\"\n\n\
    [operations.draw]\nprices = [{ asset = \"TOKEN\", amount = 1 }]\n\n\
    [limits.hourly]\nmaximum = { amount = 20, env = \"MAX_TASKS_PER_USER_PER_HOUR\" }\nwindow = \"1h\"\n";

/// A ledger, and a file to apply to it.
struct Stand {
    ledger: Ledger,
    directory: tempfile::TempDir,
}

impl Stand {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:///{}", directory.path().join("l.db").display());
        let ledger = Ledger::start(&Options::media_lab(&url)).await;
        Self { ledger, directory }
    }

    async fn run(&self, command: &str, argument: &str, variables: &[(&str, &str)]) -> Finished {
        let mut program = Program::ours("ledger-service")
            .argument("catalog")
            .argument(command)
            .argument(argument);
        if command != "check" {
            let address = self.ledger.address("grpc").to_string();
            program = program.argument("--addr").argument(address);
        }
        let variables = variables.iter();
        program
            .environment
            .extend(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        program.run(DEADLINE).await
    }

    async fn run_on_file(&self, command: &str, text: &str, variables: &[(&str, &str)]) -> Finished {
        let file = self.directory.path().join("shop.toml");
        fs::write(&file, text).unwrap();
        self.run(command, &file.display().to_string(), variables)
            .await
    }
}

#[tokio::test]
async fn a_catalog_is_checked_applied_shown_and_compared() {
    let stand = Stand::start().await;
    // The file's own book does not exist yet, and the service makes none.
    let unknown = stand.run_on_file("apply", CATALOG, &[]).await;
    assert_eq!(unknown.status.code(), Some(1), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("BOOK_NOT_FOUND"),
        "{}",
        unknown.stderr
    );

    let ours = CATALOG.replace("\"shop\"", "\"media-lab\"");
    let limit = [("MAX_TASKS_PER_USER_PER_HOUR", "7")];
    let checked = stand.run_on_file("check", &ours, &limit).await;
    assert!(checked.status.success(), "{}", checked.stderr);
    assert!(
        checked.stderr.contains("MAX_TASKS_PER_USER_PER_HOUR = 7"),
        "{}",
        checked.stderr
    );

    let differs = stand.run_on_file("diff", &ours, &limit).await;
    assert_eq!(differs.status.code(), Some(1), "{}", differs.stderr);
    assert!(
        differs.stdout.contains("+[assets.TOKEN]"),
        "{}",
        differs.stdout
    );
    assert!(
        differs.stdout.contains("-[assets.FREE_OP]"),
        "{}",
        differs.stdout
    );

    let applied = stand.run_on_file("apply", &ours, &limit).await;
    assert!(applied.status.success(), "{}", applied.stderr);
    assert!(
        applied.stderr.contains("version 2 is in force, after 1"),
        "{}",
        applied.stderr
    );
    let again = stand.run_on_file("apply", &ours, &limit).await;
    assert!(
        again.stderr.contains("in force already, as version 2"),
        "{}",
        again.stderr
    );
    let same = stand.run_on_file("diff", &ours, &limit).await;
    assert_eq!((same.status.code(), same.stdout.as_str()), (Some(0), ""));
    let other_value = stand.run_on_file("diff", &ours, &[]).await;
    assert!(
        other_value
            .stdout
            .contains("-# MAX_TASKS_PER_USER_PER_HOUR = 7"),
        "{}",
        other_value.stdout
    );

    let shown = stand.run("show", "media-lab", &[]).await;
    assert!(
        shown
            .stdout
            .starts_with("# books/media-lab, version 2, in force since "),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.ends_with(&ours), "{}", shown.stdout);

    let wrong = ours
        .replace("\"credits\"", "\"coins\"")
        .replace("amount = 1 }", "amount = -1 }");
    let refused = stand.run_on_file("apply", &wrong, &[]).await;
    assert_eq!(refused.status.code(), Some(64), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("line 5") && refused.stderr.contains("line 8"),
        "{}",
        refused.stderr
    );
}
