//! The model-based test, through the engine: random rounds of commands for two
//! engines on one database, with everything that goes wrong, judged by a naive
//! second ledger in the order of the log.
//!
//! `MODEL_COMMANDS` asks for more commands than the default, over both backends;
//! `MODEL_SEED` repeats a seed (what is asked; not when threads run). A failure
//! prints its seed and the smallest script that was found for it.
#![cfg(test)]

#[path = "support/model/mod.rs"]
mod parts;
mod support;

use std::time::Instant;

use parts::{
    counts::{COMMANDS, Counted, Counts, EVENTS},
    generate::{Ask, Generator, What},
    judge::{Answered, Failure},
    ledger::Flaw,
    seen::OF_POLICY,
    session::Session,
    shrink::shrink,
    stages::STAGES,
};
use support::database::Database;

/// How many commands are asked for, over both backends.
const COMMANDS_DEFAULT: u64 = 300_000;

/// How often each command is asked for and each reason is given at least, with
/// as many commands as one backend gets.
const EACH_MIN: u64 = 100;

/// How often each kind of outcome is seen at least in as many: some need several
/// rare things to come together.
const SEEN_MIN: u64 = 10;

/// Every reason of a refusal that the core has.
const REASONS: [&str; 65] = [
    "REQUEST_EXPIRED",
    "ACCOUNT_NOT_FOUND",
    "ACCOUNT_CLOSED",
    "ACCOUNT_BLOCKED",
    "ACCOUNT_NOT_BLOCKED",
    "ACCOUNT_NOT_EMPTY",
    "METADATA_KEY_NOT_ALLOWED",
    "METADATA_PERSONAL",
    "UNKNOWN_ASSET",
    "UNKNOWN_OPERATION",
    "UNKNOWN_CURRENCY",
    "QUANTITY_TOO_LARGE",
    "AMOUNT_NOT_POSITIVE",
    "AMOUNT_TOO_LARGE",
    "LOT_EXPIRY_PAST",
    "BALANCE_TOO_LARGE",
    "WALLET_FULL",
    "PRICE_CHANGED",
    "INSUFFICIENT_FUNDS",
    "HOLD_NOT_FOUND",
    "HOLD_ENDED",
    "HOLD_NOT_EXTENDED",
    "HOLD_TOO_LONG",
    "CAPTURE_EXCEEDS_HOLD",
    "CHARGE_NOT_FOUND",
    "REFUND_EXCEEDS_CHARGE",
    "TRANSFER_TO_SELF",
    "BALANCE_MISMATCH",
    "CATALOG_FOR_OTHER_BOOK",
    "INVALID_CATALOG",
    "REQUEST_ID_REUSED",
    "PAYMENT_ALREADY_RECORDED",
    "UNKNOWN_PACKAGE",
    "PACKAGE_NOT_AVAILABLE",
    "PACKAGE_LIMIT_REACHED",
    "TOP_UP_NOT_OFFERED",
    "PAYMENT_AMOUNT_DIFFERS",
    "PAYMENT_NOT_FOUND",
    "PAYMENT_NOT_SUCCEEDED",
    "REFUND_EXCEEDS_PAYMENT",
    "PAYMENT_SPENT",
    "TOO_MANY_REFUNDS",
    "REFUND_NOT_FOUND",
    "REFUND_ALREADY_RECORDED",
    "BATCH_ITEM_REFUSED",
    "UNKNOWN_PLAN",
    "PLAN_NOT_AVAILABLE",
    "SUBSCRIPTION_RUNS",
    "SUBSCRIPTION_NOT_FOUND",
    "SUBSCRIPTION_NOT_RENEWED",
    "RENEWAL_ATTEMPT_OPEN",
    "UPGRADE_NOT_OFFERED",
    "TOO_MANY_SUBSCRIPTIONS",
    "AUTO_TOP_UP_NOT_OFFERED",
    "AUTO_TOP_UP_NOT_DUE",
    "AUTO_TOP_UP_OPEN",
    "AUTO_TOP_UP_CAP_REACHED",
    "INVALID_ATTRIBUTE",
    "VARIANT_NOT_AVAILABLE",
    "NOT_SOLD_HERE",
    "RATE_LIMITED",
    "CONFIRMATION_REQUIRED",
    "ASSET_NOT_SPENDABLE",
    "BADGE_ALREADY_GRANTED",
    "CATALOG_CHANGED",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_on_sqlite() {
    check(Database::sqlite(), commands() / 2, seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_on_postgres() {
    check(Database::postgres().await, commands() / 2, seed() + 1).await;
}

/// The judge is worth something only if it sees what is wrong, and the script
/// only if it is short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_finds_a_wrong_rule_and_shrinks_it() {
    for flaw in [Flaw::ReversedTurn, Flaw::LongHolds, Flaw::KeptBonuses] {
        let database = Database::sqlite();
        let mut session = Session::open(&database, Some(1), Some(flaw)).await.unwrap();
        let failure = run(&mut session, 20_000, 7).await.unwrap_err();
        let shrunk = shrink(session.store(), &failure, Some(flaw)).await;
        assert!(
            shrunk.steps <= 4,
            "{flaw:?}: {} steps\n{}",
            shrunk.steps,
            shrunk.script
        );
    }
}

/// Wrong rules of policy are seen too. What shows them hangs on the catalogs that
/// were in force before, so the script is not short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_finds_wrong_rules_of_policy() {
    for flaw in [Flaw::ShortPasses, Flaw::LooseLimits] {
        let database = Database::sqlite();
        let mut session = Session::open(&database, Some(1), Some(flaw)).await.unwrap();
        let failure = run(&mut session, 20_000, 7).await;
        assert!(failure.is_err(), "{flaw:?} is not seen");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap())
}

fn commands() -> u64 {
    number("MODEL_COMMANDS").unwrap_or(COMMANDS_DEFAULT)
}

fn seed() -> u64 {
    number("MODEL_SEED").unwrap_or(20_261_120)
}

async fn check(database: Database, commands: u64, seed: u64) {
    eprintln!("{commands} commands, MODEL_SEED={seed}");
    let began = Instant::now();
    let mut session = match Session::open(&database, Some(seed), None).await {
        Ok(session) => session,
        Err(failure) => panic!("{failure:?}"),
    };
    if let Err(failure) = run(&mut session, commands, seed).await {
        let shrunk = shrink(session.store(), &failure, None).await;
        panic!(
            "MODEL_SEED={seed}: {}\n\n{} steps:\n{}",
            failure.what, shrunk.steps, shrunk.script
        );
    }
    support::log::sound(session.store()).await;
    let counts = &session.counts();
    let rate = counts.total() as f64 / began.elapsed().as_secs_f64();
    eprintln!("{} commands, {rate:.0} a second\n{counts}", counts.total());
    assert_counts(counts, commands);
    let explained = session.judges.iter().map(|judge| judge.explained.lines);
    let lines: u64 = explained.sum();
    assert!(lines > commands, "{lines} lines were explained");
    drop(session);
    database.remove().await;
}

async fn run(session: &mut Session, commands: u64, seed: u64) -> Result<(), Box<Failure>> {
    let mut generator = Generator::new(seed);
    generator.fill();
    while session.counts().total() < commands {
        if let Some(us) = generator.pause() {
            session.pass(us).await;
        }
        let asks = generator.round(session.now());
        let answers = session.round(&asks).await?;
        for (ask, answered) in asks.iter().zip(&answers) {
            learn(&mut generator, ask, answered);
        }
    }
    Ok(())
}

fn learn(generator: &mut Generator, ask: &Ask, answered: &Answered) {
    if ask.book != 0 {
        return;
    }
    if let (What::Call(requests, _), Answered::Call(Ok(results))) = (&ask.what, answered) {
        for (request, answer) in requests.iter().zip(results) {
            if let Ok(answer) = answer {
                generator.learn(&request.account, answer);
            }
        }
    }
}

fn assert_counts(counts: &Counts, commands_asked: u64) {
    let each_min = EACH_MIN * commands_asked / (COMMANDS_DEFAULT / 2);
    let count = |counted: &Counted, name: &str| counted.get(name).copied().unwrap_or(0);
    let seldom = |counted: &Counted, name: &&&str| count(counted, name) < each_min.min(EACH_MIN);
    let reasons: Vec<_> = REASONS
        .iter()
        .filter(|name| seldom(&counts.reasons, name))
        .collect();
    assert!(
        reasons.is_empty(),
        "given less than {each_min} times: {reasons:?}"
    );
    let commands: Vec<_> = COMMANDS
        .iter()
        .filter(|name| seldom(&counts.commands, name))
        .collect();
    assert!(
        commands.is_empty(),
        "asked less than {each_min} times: {commands:?}"
    );
    let seen_min = (SEEN_MIN * commands_asked / (COMMANDS_DEFAULT / 2)).min(SEEN_MIN);
    let events: Vec<_> = EVENTS
        .iter()
        .chain(&STAGES)
        .chain(&OF_POLICY)
        .filter(|name| count(&counts.events, name) < seen_min)
        .collect();
    assert!(
        events.is_empty(),
        "seen less than {seen_min} times: {events:?}"
    );
    for (answer, min) in [
        ("first", 1_000),
        ("replayed", 100),
        ("read", 100),
        ("late", 10),
    ] {
        let count = counts.answers.get(answer).copied().unwrap_or(0);
        assert!(
            count >= min * each_min.min(EACH_MIN) / EACH_MIN,
            "{answer}: {count}"
        );
    }
    for reason in counts.reasons.keys() {
        assert!(REASONS.contains(reason), "{reason} is not in the list");
    }
}
