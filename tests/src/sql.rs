//! SQL behind the service's back: what an intruder or another program does.

use crate::Database;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, sqlite::SqliteConnectOptions,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The file of a SQLite database's URL; nothing for a server.
#[must_use]
pub fn file(url: &str) -> Option<PathBuf> {
    url.strip_prefix("sqlite:///").map(PathBuf::from)
}

/// Every file beside a database's file, and that itself: name to content.
///
/// # Panics
/// If they can't be read.
#[must_use]
pub fn files_beside(file: &Path) -> BTreeMap<String, Vec<u8>> {
    let directory = file.parent().expect("a file is in a directory");
    let entries = fs::read_dir(directory).expect("the directory can be read");
    let files = entries.map(|entry| {
        let entry = entry.expect("the directory can be read");
        let content = fs::read(entry.path()).expect("the file can be read");
        (entry.file_name().to_string_lossy().into_owned(), content)
    });
    files.collect()
}

/// Runs statements on a database. `{ledger}` stands for what the names of the
/// service's tables begin with there.
///
/// # Panics
/// If one fails.
pub async fn execute(database: &Database, statements: &str) {
    let result = try_execute(database, statements).await;
    result.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// Runs statements on a database, of which one may fail.
///
/// # Errors
/// What the database says against it.
///
/// # Panics
/// If the database can't be opened.
pub async fn try_execute(database: &Database, statements: &str) -> Result<(), String> {
    let failed = |error| format!("{error}");
    if let Some(file) = file(&database.url) {
        let text = AssertSqlSafe(statements.replace("{ledger}", ""));
        let options = SqliteConnectOptions::new().filename(file);
        let connection = options.create_if_missing(true).connect().await;
        let mut connection = connection.expect("the file can be opened");
        let result = sqlx::raw_sql(text).execute(&mut connection).await;
        // What closing does, checkpoint and all, is done when this returns.
        connection.close().await.expect("it closes");
        return result.map(drop).map_err(failed);
    }
    let text = AssertSqlSafe(statements.replace("{ledger}", "ledger."));
    let connection = PgConnection::connect(&database.url).await;
    let mut connection = connection.expect("the server answers");
    let result = sqlx::raw_sql(text).execute(&mut connection).await;
    result.map(drop).map_err(failed)
}

/// All rows of a table of the service, each as text, ordered. A row's text has
/// all of its columns.
///
/// # Panics
/// If the database can't be opened, or has no such table.
pub async fn rows(database: &Database, table: &str) -> Vec<String> {
    let Some(file) = file(&database.url) else {
        let connection = PgConnection::connect(&database.url).await;
        let mut connection = connection.expect("the server answers");
        let text = format!("SELECT t::text FROM ledger.{table} t ORDER BY 1");
        let rows = sqlx::query_scalar(AssertSqlSafe(text));
        return rows.fetch_all(&mut connection).await.expect("the rows");
    };
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await.expect("the file can be opened");
    let columns: Vec<String> =
        sqlx::query_scalar("SELECT 'quote(' || name || ')' FROM pragma_table_info(?)")
            .bind(table)
            .fetch_all(&mut connection)
            .await
            .expect("the columns");
    let text = format!("SELECT {} FROM {table} ORDER BY 1", columns.join("||','||"));
    let rows = sqlx::query_scalar(AssertSqlSafe(text));
    let rows = rows.fetch_all(&mut connection).await.expect("the rows");
    connection.close().await.expect("it closes");
    rows
}
