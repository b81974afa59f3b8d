//! Configuration: defaults < file < environment < flags, all errors at once.
//!
//! | key in the file | environment | flag | default |
//! |---|---|---|---|
//! | `database_url` | `LEDGER_DATABASE_URL`, else `DATABASE_URL` | `--database-url` | `sqlite:///./ledger.db` |
//! | `catalogs` | `LEDGER_CATALOG` | `--catalog` | none |
//! | `grpc_addr` | `LEDGER_GRPC_ADDR` | `--grpc-addr` | `127.0.0.1:50051` |
//! | `http_addr` | `LEDGER_HTTP_ADDR` | `--http-addr` | `127.0.0.1:8080` |
//! | `log` | `LEDGER_LOG` | `--log` | `info` |
//! | `log_format` | `LEDGER_LOG_FORMAT` | `--log-format` | `text` |

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;

use crate::store::Address;

/// Variables of the seeds' environments that nothing here needs.
const LEFTOVERS: [&str; 1] = ["REDIS_URL"];

const DATABASE_URL_DEFAULT: &str = "sqlite:///./ledger.db";

/// Where the data is.
#[derive(Debug, Clone, Default, Args)]
pub struct DatabaseArgs {
    /// Where the data is: `sqlite:///./ledger.db` (three slashes: relative,
    /// four: absolute) or `postgres://user:password@host/database`
    /// [env: LEDGER_DATABASE_URL, else DATABASE_URL]
    /// [default: sqlite:///./ledger.db].
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

/// How to serve.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// A file with settings (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Catalogs to bring into force; each makes its book if there is none
    /// [env: LEDGER_CATALOG, separated by colons].
    #[arg(long = "catalog", value_name = "FILE")]
    pub catalogs: Vec<PathBuf>,
    /// Where to serve gRPC; loopback only. Port 0 takes a free one
    /// [env: LEDGER_GRPC_ADDR] [default: 127.0.0.1:50051].
    #[arg(long, value_name = "ADDRESS")]
    pub grpc_addr: Option<String>,
    /// Where to serve /healthz and /readyz; loopback only
    /// [env: LEDGER_HTTP_ADDR] [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    pub http_addr: Option<String>,
    /// What to log, e.g. `info` or `ledger_service=debug`
    /// [env: LEDGER_LOG] [default: info].
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// `text` or `json` [env: LEDGER_LOG_FORMAT] [default: text].
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// The file: the same keys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database_url: Option<String>,
    #[serde(default)]
    catalogs: Vec<PathBuf>,
    grpc_addr: Option<String>,
    http_addr: Option<String>,
    log: Option<String>,
    log_format: Option<String>,
}

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Everything that was configured, checked.
#[derive(Debug)]
pub struct Settings {
    /// Where the data is.
    pub database: Address,
    /// Catalogs to bring into force.
    pub catalogs: Vec<PathBuf>,
    /// Where to serve gRPC.
    pub grpc_addr: SocketAddr,
    /// Where to serve health.
    pub http_addr: SocketAddr,
    /// The log filter.
    pub log: String,
    /// How logs look.
    pub log_format: LogFormat,
    /// The environment, for the values that a catalog lets it replace.
    pub environment: BTreeMap<String, String>,
    /// Variables that are set and not needed.
    pub leftovers: Vec<&'static str>,
}

/// What is wrong with the configuration: everything, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n                "))]
pub struct ConfigErrors(Vec<String>);

impl Settings {
    /// Reads the configuration.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(
        args: ServeArgs,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let file = args.config.as_deref().map_or_else(File::default, |path| {
            read_file(path).unwrap_or_else(|error| {
                errors.push(error);
                File::default()
            })
        });
        let pick = |flag: Option<String>, variable: &str, file: Option<String>, default: &str| {
            flag.or_else(|| environment.get(variable).cloned())
                .or(file)
                .unwrap_or_else(|| default.to_owned())
        };
        let url = database_url(&args.database, &environment, file.database_url);
        let database = Address::parse(&url)
            .map_err(|error| errors.push(error.to_string()))
            .ok();
        let grpc = pick(
            args.grpc_addr,
            "LEDGER_GRPC_ADDR",
            file.grpc_addr,
            "127.0.0.1:50051",
        );
        let http = pick(
            args.http_addr,
            "LEDGER_HTTP_ADDR",
            file.http_addr,
            "127.0.0.1:8080",
        );
        let grpc_addr = loopback("grpc_addr", &grpc)
            .map_err(|error| errors.push(error))
            .ok();
        let http_addr = loopback("http_addr", &http)
            .map_err(|error| errors.push(error))
            .ok();
        let format = pick(
            args.log_format,
            "LEDGER_LOG_FORMAT",
            file.log_format,
            "text",
        );
        let log_format = parse_format(&format)
            .map_err(|error| errors.push(error))
            .ok();
        let log = pick(args.log, "LEDGER_LOG", file.log, "info");
        let catalogs = catalogs(args.catalogs, &environment, file.catalogs);
        let leftovers = LEFTOVERS
            .into_iter()
            .filter(|name| environment.contains_key(*name));
        match (database, grpc_addr, http_addr, log_format) {
            (Some(database), Some(grpc_addr), Some(http_addr), Some(log_format))
                if errors.is_empty() =>
            {
                Ok(Self {
                    database,
                    catalogs,
                    grpc_addr,
                    http_addr,
                    log,
                    log_format,
                    leftovers: leftovers.collect(),
                    environment,
                })
            }
            _ => Err(ConfigErrors(errors)),
        }
    }
}

impl DatabaseArgs {
    /// The address that the flags and the environment say.
    ///
    /// # Errors
    /// It is not one.
    pub fn address(&self, environment: &BTreeMap<String, String>) -> Result<Address, ConfigErrors> {
        Address::parse(&database_url(self, environment, None))
            .map_err(|error| ConfigErrors(vec![error.to_string()]))
    }
}

/// The process's environment; what is not UTF-8 is nothing of ours.
#[must_use]
pub(super) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn database_url(
    args: &DatabaseArgs,
    environment: &BTreeMap<String, String>,
    file: Option<String>,
) -> String {
    args.database_url
        .clone()
        .or_else(|| environment.get("LEDGER_DATABASE_URL").cloned())
        .or_else(|| environment.get("DATABASE_URL").cloned())
        .or(file)
        .unwrap_or_else(|| DATABASE_URL_DEFAULT.to_owned())
}

fn catalogs(
    flags: Vec<PathBuf>,
    environment: &BTreeMap<String, String>,
    file: Vec<PathBuf>,
) -> Vec<PathBuf> {
    if !flags.is_empty() {
        return flags;
    }
    match environment.get("LEDGER_CATALOG") {
        Some(paths) => std::env::split_paths(paths).collect(),
        None => file,
    }
}

fn read_file(path: &Path) -> Result<File, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn loopback(name: &str, text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_error| format!("{name}: `{text}` is not an address like 127.0.0.1:50051"))?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "{name}: {address} is not a loopback address; without access control the ledger \
             serves this machine only, use 127.0.0.1:{}",
            address.port()
        ));
    }
    Ok(address)
}

fn parse_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("log_format: `{text}` is neither `text` nor `json`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn flags_win_over_the_environment_and_it_over_defaults() {
        let environment = environment(&[
            ("DATABASE_URL", "sqlite:///./bot.db"),
            ("LEDGER_DATABASE_URL", "sqlite:///./ours.db"),
            ("LEDGER_GRPC_ADDR", "127.0.0.1:1"),
            ("REDIS_URL", "redis://x"),
        ]);
        let args = ServeArgs {
            grpc_addr: Some("[::1]:2".to_owned()),
            ..ServeArgs::default()
        };
        let settings = Settings::load(args, environment).unwrap();
        assert!(settings.database.to_string().contains("ours.db"));
        assert_eq!(settings.grpc_addr.to_string(), "[::1]:2");
        assert_eq!(settings.http_addr.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.leftovers, ["REDIS_URL"]);
    }

    #[test]
    fn all_errors_are_said_at_once() {
        let args = ServeArgs {
            grpc_addr: Some("0.0.0.0:50051".to_owned()),
            http_addr: Some("nowhere".to_owned()),
            log_format: Some("xml".to_owned()),
            database: DatabaseArgs {
                database_url: Some("mysql://x".to_owned()),
            },
            ..ServeArgs::default()
        };
        let errors = Settings::load(args, BTreeMap::new())
            .unwrap_err()
            .to_string();
        for part in [
            "0.0.0.0:50051 is not a loopback address",
            "nowhere",
            "xml",
            "mysql",
        ] {
            assert!(errors.contains(part), "{part} is missing in: {errors}");
        }
    }
}
