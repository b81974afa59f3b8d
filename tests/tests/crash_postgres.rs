//! PostgreSQL itself is killed, with all its processes, at random moments under
//! the load of two instances, and comes back. The judge is the client's own log.
//!
//! `CRASH_ROUNDS` says how often (20), `CRASH_SEED` repeats a load.
#![cfg(test)]

use e2e_tests::{
    Ledger, eventually, fresh_id, judge::judge, ledger::Options, load::Load, postgres::Cluster,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{env, time::Duration};

/// A load that stands still for so long does so for good.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(30);
/// In a round, the server is killed after so many acknowledged requests.
const ACKNOWLEDGED: std::ops::Range<u64> = 100..250;
/// So many requests are allowed in a round.
const ALLOWED: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn crash_of_postgres_under_two_services() {
    let rounds = env::var("CRASH_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let seed = env::var("CRASH_SEED").map(|seed| seed.parse().unwrap());
    let seed = seed.unwrap_or_else(|_| fresh_id().as_u64_pair().0);
    eprintln!("PostgreSQL under two services: CRASH_SEED={seed} CRASH_ROUNDS={rounds}");
    let mut rng = StdRng::seed_from_u64(seed);

    let mut cluster = Cluster::start().await;
    let url = cluster.fresh_database().await;
    let mut instances = [
        Ledger::start(&Options::media_lab(&url)).await,
        Ledger::start(&Options::media_lab(&url)).await,
    ];
    let load = Load::start(&instances, seed).await;
    let mut progress = [0, 0];
    for _ in 0..rounds {
        let doubts = load.doubts();
        let before = [load.acknowledged_by(0), load.acknowledged_by(1)];
        let goal = load.acknowledged() + rng.random_range(ACKNOWLEDGED);
        load.allow(ALLOWED);
        eventually("requests are acknowledged", PROGRESS_DEADLINE, async || {
            load.check();
            (load.acknowledged() >= goal).then_some(())
        })
        .await;
        cluster.kill9().await;
        // Callers have given up on what was in work.
        eventually("a request is in doubt", PROGRESS_DEADLINE, async || {
            load.allow(1);
            (load.doubts() > doubts).then_some(())
        })
        .await;
        cluster.restart().await;
        for instance in [0, 1] {
            let goal = load.acknowledged_by(instance) + 10;
            eventually("both instances go on", PROGRESS_DEADLINE, async || {
                load.check();
                load.allow(5);
                (load.acknowledged_by(instance) >= goal).then_some(())
            })
            .await;
            progress[instance] += load.acknowledged_by(instance) - before[instance];
        }
    }
    assert!(
        progress.iter().all(|made| *made > 20 * rounds),
        "each instance makes progress: {progress:?}"
    );

    let journal = load.finish().await;
    let verdict = judge(journal, &[&instances[0], &instances[1]]).await;
    eprintln!("{verdict:?}");
    assert!(verdict.in_doubt as u64 >= rounds, "{verdict:?}");
    for instance in &mut instances {
        assert!(instance.terminate().await.success());
    }
    let verified = instances[0].verify().await;
    assert!(verified.status.success(), "{}", verified.output());
}
