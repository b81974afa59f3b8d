//! The append-only role of `docs/operations.md`: what is written there, and no
//! more, is enough to serve, and not enough to change what happened.
#![cfg(test)]

use e2e_tests::{
    Ledger,
    client::{account, balance_of, balances, charge, credit, events},
    in_workspace,
    ledger::{Options, rebuild, verify},
    postgres::Cluster,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::fs;

/// The statements that the page gives for the role.
fn documented() -> String {
    let page = fs::read_to_string(in_workspace("docs/operations.md")).unwrap();
    let (_, after) = page
        .split_once("An append-only role for PostgreSQL")
        .unwrap();
    let (_, block) = after.split_once("```sql\n").unwrap();
    let (statements, _) = block.split_once("```").unwrap();
    assert!(
        statements.contains("CREATE ROLE ledger_app"),
        "{statements}"
    );
    statements.to_owned()
}

/// Runs a statement; the SQLSTATE of its refusal, if it is refused.
async fn refusal(connection: &mut PgConnection, statement: &'static str) -> Option<String> {
    let result = sqlx::raw_sql(statement).execute(connection).await;
    let error = result.err()?;
    let error = error.into_database_error().unwrap();
    Some(error.code().unwrap().into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_role_serves_and_cannot_change_events() {
    // A role belongs to the whole cluster: one of our own.
    let cluster = Cluster::start().await;
    let owner = cluster.fresh_database().await;
    let mut ledger = Ledger::start(&Options::media_lab(&owner)).await;
    assert!(ledger.terminate().await.success());
    let mut connection = PgConnection::connect(&owner).await.unwrap();
    let granted = sqlx::raw_sql(AssertSqlSafe(documented()));
    granted.execute(&mut connection).await.unwrap();

    let url = owner.replace("//postgres@", "//ledger_app@");
    assert_ne!(url, owner);
    let mut ledger = Ledger::start(&Options::media_lab(&url)).await;
    let name = account("tg:a");
    ledger.ledger().credit(credit(&name, 1_000)).await.unwrap();
    ledger.ledger().charge(charge(&name, 300)).await.unwrap();
    assert_eq!(balance_of(&balances(&ledger, &name).await, "RUB"), 700);
    assert!(!events(&ledger, None).await.is_empty());
    let verified = verify(&url).await;
    assert!(verified.status.success(), "{}", verified.output());

    let mut connection = PgConnection::connect(&url).await.unwrap();
    for statement in [
        "UPDATE ledger.events SET version = version + 1 WHERE position = 2",
        "DELETE FROM ledger.events WHERE position = 2",
        "DELETE FROM ledger.events_000000 WHERE position = 2",
        "TRUNCATE ledger.events",
        "ALTER TABLE ledger.events DISABLE TRIGGER no_change",
        "DROP TABLE ledger.events",
        "UPDATE ledger.requests SET position = 1",
        "DELETE FROM ledger.requests",
        "DELETE FROM ledger.external_ids",
        "DELETE FROM ledger.accounts",
        "DELETE FROM ledger.logs",
    ] {
        // insufficient_privilege
        let refused = refusal(&mut connection, statement).await;
        assert_eq!(refused.as_deref(), Some("42501"), "{statement}");
    }
    // A partition that is not there yet is made for it.
    let made = refusal(
        &mut connection,
        "SELECT ledger.ensure_event_partitions(100000000)",
    )
    .await;
    assert_eq!(made, None);
    assert!(ledger.terminate().await.success());

    // Its leases were given up, so the owner may rebuild.
    let rebuilt = rebuild(&owner).await;
    assert!(rebuilt.status.success(), "{}", rebuilt.output());
    let ledger = Ledger::start(&Options::media_lab(&url)).await;
    assert_eq!(balance_of(&balances(&ledger, &name).await, "RUB"), 700);
}
