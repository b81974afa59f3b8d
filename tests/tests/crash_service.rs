//! Instances of the service are killed and frozen at random moments, under a
//! load that two of them share. The judge is the client's own log.
//!
//! `CRASH_ROUNDS` says how often (20), `CRASH_SEED` repeats a load; what was
//! killed when stays as random as the machine.
#![cfg(test)]

use e2e_tests::{Backend, Ledger, eventually, fresh_id, judge::judge, ledger::Options, load::Load};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sqlx::{Connection as _, PgConnection};
use std::{env, time::Duration};

/// A load that stands still for so long does so for good.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(30);
/// How often an instance is killed in a round until a request is in doubt.
const KILLS_MAX: usize = 10;
/// How often an instance is frozen until it held the head's lock.
const FREEZES_MAX: usize = 60;
/// In a round, an instance is killed after so many acknowledged requests.
const ACKNOWLEDGED: std::ops::Range<u64> = 100..250;
/// So many requests are allowed in a round.
const ALLOWED: usize = 400;

fn rounds() -> usize {
    let rounds = env::var("CRASH_ROUNDS").map(|rounds| rounds.parse().unwrap());
    rounds.unwrap_or(20)
}

/// The seed of a test, printed so that it can be given again.
fn seeded(test: &str) -> (u64, StdRng) {
    let given = env::var("CRASH_SEED").map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|_| fresh_id().as_u64_pair().0);
    eprintln!("{test}: CRASH_SEED={seed} CRASH_ROUNDS={}", rounds());
    (seed, StdRng::seed_from_u64(seed))
}

async fn start(url: &str, count: usize) -> Vec<Ledger> {
    let mut instances = Vec::new();
    for _ in 0..count {
        instances.push(Ledger::start(&Options::media_lab(url)).await);
    }
    instances
}

/// Waits until so many requests have been acknowledged.
async fn reaches(load: &Load, acknowledged: u64) {
    let what = format!("{acknowledged} requests are acknowledged");
    eventually(&what, PROGRESS_DEADLINE, async || {
        load.check();
        (load.acknowledged() >= acknowledged).then_some(())
    })
    .await;
}

/// Ends the load, has it judged, and verifies what is stored.
async fn is_as_the_client_knows_it(load: Load, mut instances: Vec<Ledger>, doubts_min: usize) {
    let journal = load.finish().await;
    let verdict = judge(journal, &instances.iter().collect::<Vec<_>>()).await;
    eprintln!("{verdict:?}");
    assert!(
        verdict.in_doubt >= doubts_min,
        "nothing was in doubt: {verdict:?}"
    );
    for instance in &mut instances {
        assert!(instance.terminate().await.success());
    }
    let verified = instances[0].verify().await;
    assert!(verified.status.success(), "{}", verified.output());
}

async fn killed_under_load(test: &str, backend: Backend, count: usize) {
    let (seed, mut rng) = seeded(test);
    let database = backend.database().await;
    let mut instances = start(&database.url, count).await;
    let load = Load::start(&instances, seed).await;
    let mut answered = vec![0; count];
    for round in 0..rounds() {
        let doubts = load.doubts();
        let before: Vec<u64> = (0..count).map(|n| load.acknowledged_by(n)).collect();
        let mut goal = load.acknowledged() + rng.random_range(ACKNOWLEDGED);
        for kill in 0.. {
            assert!(kill < KILLS_MAX, "round {round}: no request was in doubt");
            load.allow(ALLOWED);
            reaches(&load, goal).await;
            let victim = rng.random_range(0..count);
            load.leave(victim);
            instances[victim].kill9().await;
            instances[victim] = Ledger::start(&Options::media_lab(&database.url)).await;
            load.use_instance(victim, &instances[victim]);
            if load.doubts() > doubts {
                break;
            }
            goal = load.acknowledged() + 20;
        }
        for (number, answered) in answered.iter_mut().enumerate() {
            *answered += load.acknowledged_by(number) - before[number];
        }
    }
    for answered in answered {
        assert!(
            answered > 20 * rounds() as u64,
            "each instance makes progress"
        );
    }
    is_as_the_client_knows_it(load, instances, rounds()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_of_one_of_two_services_on_postgres() {
    killed_under_load("two services on PostgreSQL", Backend::Postgres, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_of_the_service_on_sqlite() {
    killed_under_load("one service on SQLite", Backend::Sqlite, 1).await;
}

/// Whether a writer holds a transaction open without doing anything in it, as
/// one does that was frozen while it had the head's lock.
async fn holds_the_lock(connection: &mut PgConnection) -> bool {
    sqlx::query_scalar(
        "SELECT count(*) > 0 FROM pg_stat_activity
         WHERE datname = current_database() AND state = 'idle in transaction'
               AND application_name = 'ledger-writer'
               AND clock_timestamp() - state_change > interval '200 ms'",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// Looks for a frozen writer with the lock, while one may still be found.
async fn is_frozen_with_the_lock(connection: &mut PgConnection, load: &Load) -> bool {
    let before = load.acknowledged();
    eventually(
        "the lock is seen, or others go on",
        PROGRESS_DEADLINE,
        async || {
            if holds_the_lock(connection).await {
                return Some(true);
            }
            (load.acknowledged() > before + 50).then_some(false)
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_frozen_with_the_lock_and_thawed() {
    let (seed, mut rng) = seeded("a frozen service");
    let database = Backend::Postgres.database().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let instances = start(&database.url, 2).await;
    let load = Load::start(&instances, seed).await;
    let mut caught = 0;
    for _ in 0..FREEZES_MAX {
        load.allow(300);
        let goal = load.acknowledged() + rng.random_range(20..120);
        reaches(&load, goal).await;
        let victim = rng.random_range(0..2);
        let other = 1 - victim;
        instances[victim].freeze();
        if is_frozen_with_the_lock(&mut connection, &load).await {
            caught += 1;
            // The other one goes on while this one is still frozen.
            let goal = load.acknowledged_by(other) + 50;
            let what = "the other instance goes on";
            eventually(what, PROGRESS_DEADLINE, async || {
                load.allow(10);
                (load.acknowledged_by(other) >= goal).then_some(())
            })
            .await;
        }
        instances[victim].thaw();
        let goal = load.acknowledged_by(victim) + 10;
        eventually("the thawed one goes on", PROGRESS_DEADLINE, async || {
            load.check();
            load.allow(10);
            (load.acknowledged_by(victim) >= goal).then_some(())
        })
        .await;
        if caught == 3 {
            break;
        }
    }
    assert!(
        caught > 0,
        "no instance was frozen while it had the head's lock"
    );
    is_as_the_client_knows_it(load, instances, 1).await;
}
