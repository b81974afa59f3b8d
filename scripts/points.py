#!/usr/bin/env python3
"""Takes each point of the write path out and shows that a test notices.

docs/decisions/0002-write-path.md says what the ten points are. For each, this
script changes a few characters in a copy of the tree so that the point is gone,
and runs the tests that stand for it, on a throwaway PostgreSQL and on SQLite: they
have to fail. The tree itself is not touched. It takes about a quarter of an hour,
nearly all of it compiling.

  scripts/points.py             all of them
  scripts/points.py 3 7         these points
  scripts/points.py --list      what would be taken out, and which tests are run
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENGINE = "ledger-service/src/engine/"
STORE = "ledger-service/src/store/"


class Point(NamedTuple):
    number: int
    taken_out: str
    file: str
    old: str
    new: str
    target: str
    test: str


POINTS = [
    Point(1, "the append of SQLite does not compare the head", STORE + "sqlite/append.rs",
          "WHERE book = ? AND position = ? AND hash = ?",
          "WHERE book = ? AND ? >= 0 AND ? IS NOT NULL",
          "engine_points", "sqlite::an_append_with_a_stale_head_writes_nothing"),
    Point(1, "the append of PostgreSQL does not compare the head", STORE + "postgres/append.rs",
          "WHERE book = $1 AND position = $2 AND hash = $3",
          "WHERE book = $1 AND $2::bigint >= 0 AND $3::bytea IS NOT NULL",
          "engine_points", "postgres::an_append_with_a_stale_head_writes_nothing"),
    Point(1, "who lost twice does not take the lock", ENGINE + "round.rs",
          "let locked = lost >= 2 || self.locked_batches > 0;",
          "let locked = lost >= 2_000 || self.locked_batches > 1_000;",
          "engine_repeats", "who_lost_twice_takes_the_lock_first"),
    Point(2, "what others wrote is not applied to states in memory", ENGINE + "follow.rs",
          "for recorded in events {\n            self.cache\n                .follow(recorded)\n"
          "                .map_err(|error| broken(&error))?;",
          "for recorded in events {",
          "engine_points", "postgres::states_follow_what_others_wrote"),
    Point(2, "a state that has missed an event is kept", ENGINE + "cache.rs",
          "            self.evict(&event.account);\n            return Ok(());",
          "            return Ok(());",
          "", "a_gap_evicts"),
    Point(3, "a refusal is given without looking its id up", ENGINE + "verdicts.rs",
          "                && writes_nothing\n",
          "                && writes_nothing && false\n",
          "engine_points", "a_repeat_is_found_before_it_could_be_refused"),
    Point(3, "an answer that writes nothing is given without looking at the head", ENGINE + "round.rs",
          "if !head_seen && !self.load(&Wanted::default(), findings).await? {",
          "if false && !head_seen && !self.load(&Wanted::default(), findings).await? {",
          "engine_days", "postgres::what_one_wrote_the_other_reads"),
    Point(3, "answered ids are not remembered", ENGINE + "ahead.rs",
          "            self.answered.remember(request);\n",
          "            let _ = request;\n",
          "engine_repeats", "a_repeat_within_seconds_costs_no_append"),
    Point(4, "a repeat inside a batch is decided anew", ENGINE + "draft.rs",
          "if let Some(accepted) = key.and_then(|key| self.accepted.get(key)) {",
          "if let Some(accepted) = key.and_then(|key| self.accepted.get(key)).filter(|_| false) {",
          "engine_answers", "repeats_inside_a_batch"),
    Point(4, "a repeated id of a provider does not wait for the next batch", ENGINE + "draft.rs",
          "external_ids.any(|id| self.claimed.contains(id)) ||",
          "external_ids.any(|id| self.claimed.contains(id) && false) ||",
          "engine_answers", "a_provider_id_repeated_inside_a_batch"),
    Point(5, "a refused batch is not halved", ENGINE + "round.rs",
          "if self.units.len() + self.reads.len() < 2 {",
          "if self.units.len() + self.reads.len() < 2_000 {",
          "engine_answers", "a_refused_request_hurts_nobody_else"),
    Point(5, "after a refused append nothing is looked up", ENGINE + "round.rs",
          "        self.load(&wanted, findings).await?;\n        // Another log explains everything.",
          "        // Another log explains everything.",
          "engine_answers", "a_provider_id_is_unique_over_books"),
    Point(6, "a lost append is not looked for", ENGINE + "round.rs",
          "                    self.is_uncertain = true;\n                    *is_in_doubt = true;",
          "                    *is_in_doubt = true;",
          "engine_answers", "an_append_whose_acknowledgement_was_lost_is_found"),
    Point(6, "the session of an append that was given up is not ended", STORE + "postgres/writer.rs",
          "if let Some(left) = left {",
          "if let Some(left) = left.filter(|_| false) {",
          "store_contract", "on_postgresql_an_append_that_was_given_up_is_never_done_later"),
    Point(6, "who gives up on a lost append says that nothing was written", ENGINE + "round.rs",
          "let too_late = if self.is_uncertain || *is_in_doubt {",
          "let too_late = if false && (self.is_uncertain || *is_in_doubt) {",
          "engine_repeats", "who_gives_up_on_a_lost_append_does_not_know"),
    Point(7, "the server lets a transaction be idle for ever", STORE + "postgres/connection.rs",
          '("idle_in_transaction_session_timeout", "2s"),',
          '("idle_in_transaction_session_timeout", "0"),',
          "engine_days", "postgres_only::a_frozen_lock_holder_stops_nobody"),
    Point(7, "the server does not ask whether a silent writer lives", STORE + "postgres/connection.rs",
          '("tcp_keepalives_idle", "4"),',
          '("tcp_keepalives_idle", "7200"),',
          "store_contract", "the_server_soon_asks_whether_a_silent_writer_lives"),
    Point(8, "clocks may differ by any time", ENGINE + "clock.rs",
          "let max_us = i64::try_from(CLOCK_SKEW_MAX.as_micros()).unwrap_or(i64::MAX);",
          "let max_us = i64::MAX;",
          "engine_days", "a_clock_that_is_wrong_stops_decisions"),
    Point(9, "the other account of a transfer is not held", ENGINE + "round.rs",
          "used.extend(item.request.command.other_account());",
          "used.extend(None::<&Name>);",
          "engine_points", "transfers_both_ways_keep_the_sum"),
    Point(10, "a batch takes everything", ENGINE + "writer.rs",
          "if commands >= commands_max {",
          "if commands >= 1_000_000 {",
          "engine_days", "a_batch_takes_no_more_than_its_bound"),
    Point(10, "a deadline that has passed is not honoured", ENGINE + "job.rs",
          "deadline.is_some_and(|deadline| deadline <= Instant::now())",
          "deadline.is_some_and(|deadline| deadline <= Instant::now()) && false",
          "engine_days", "a_passed_deadline_writes_nothing"),
    Point(10, "the cache of states has no bound", ENGINE + "writer.rs",
          "cache: AccountCache::new(limits.cached_accounts_max),",
          "cache: AccountCache::new(limits.cached_accounts_max + 1_000_000),",
          "engine_days", "the_cache_of_states_is_bounded"),
    Point(10, "a full queue is waited for", ENGINE + "registry.rs",
          "mpsc::channel(self.inner.limits.queue_jobs_max)",
          "mpsc::channel(self.inner.limits.queue_jobs_max + 1_000)",
          "engine_days", "a_full_queue_says_so_at_once"),
]


def nextest(tree, environment, points, *arguments):
    """Builds or runs the tests that stand for these points, and nothing else."""
    command = ["cargo", "nextest", "run", "--package", "ledger-service", *arguments]
    for target in sorted({point.target for point in points}):
        # Tests within the package itself have no target of their own.
        command += ["--test", target] if target else ["--lib"]
    command += ["--filterset", " or ".join(sorted({f"test({point.test})" for point in points}))]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def try_point(tree, environment, point):
    """Says what came of taking a point out: nothing if its test noticed."""
    path = tree / point.file
    text = path.read_text()
    if text.count(point.old) != 1:
        return f"{point.file} has the text to be changed {text.count(point.old)} times"
    path.write_text(text.replace(point.old, point.new))
    try:
        built = nextest(tree, environment, [point], "--no-run")
        if built.returncode != 0:
            return "it does not compile:\n" + built.stderr[-2_000:]
        ran = nextest(tree, environment, [point])
        if "tests run" not in ran.stderr and "test run" not in ran.stderr:
            return "no test ran:\n" + ran.stderr[-2_000:]
        return None if ran.returncode != 0 else "THE TESTS PASS WITHOUT IT"
    finally:
        path.write_text(text)


def main():
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    points = [point for point in POINTS if not numbers or point.number in numbers]
    if "--list" in sys.argv:
        for point in points:
            print(f"{point.number:2}  {point.taken_out}  ->  {point.test}")
        return 0
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        return 0
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ledger-points."))
    tree, cluster = scratch / "tree", scratch / "postgres"
    cluster.mkdir()
    scratch.chmod(0o755)
    script = lambda name, *arguments: subprocess.run(
        [ROOT / "scripts" / name, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target / "points"), RUSTFLAGS="-A warnings")
    environment["TEST_POSTGRES_BIN"] = script("install-postgres.sh")
    unnoticed = 0
    try:
        subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(tree)], check=True)
        environment["TEST_POSTGRES_URL"] = script("postgres.sh", "start", str(cluster))
        print("first with all points in place", flush=True)
        whole = nextest(tree, environment, points)
        if whole.returncode != 0:
            print(whole.stdout[-4_000:], whole.stderr[-4_000:], sep="\n")
            return 1
        for point in points:
            problem = try_point(tree, environment, point)
            unnoticed += problem is not None
            verdict = "noticed" if problem is None else problem
            print(f"point {point.number:2}: {point.taken_out}: {verdict}", flush=True)
    finally:
        script("postgres.sh", "stop", str(cluster))
        subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)], check=False)
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{len(points) - unnoticed} passed, {unnoticed} failed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
