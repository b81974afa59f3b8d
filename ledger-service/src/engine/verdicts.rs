//! The verdicts of a round: how its units are decided, and how verdicts become
//! answers.

use std::sync::Arc;

use ledger_core::{Rejection, event::Balance};

use super::{
    Answer, EngineError, ItemError, Recorded,
    draft::{Draft, Findings, Verdict, answer_from},
    job::Prepared,
    repeats::{Repeats, repeat_answer},
    writer::{ActiveCall, Failure, Unit},
};
use crate::store::{Head, RequestKey};

/// The verdicts of a round, a unit each.
pub(super) type Verdicts = Vec<(Unit, Vec<Verdict>)>;

pub(super) fn decide_all(
    draft: &mut Draft<'_>,
    calls: &[ActiveCall],
    units: &[Unit],
    findings: &Findings,
) -> Result<Verdicts, Failure> {
    let mut verdicts = Vec::with_capacity(units.len());
    for unit in units {
        let Some(call) = calls.get(unit.call) else {
            continue;
        };
        let decided = match unit.item {
            Some(_) => decide_items(draft, call, unit, findings)?,
            None if call.pending.options.validate_only => decide_dry(draft, call, unit, findings)?,
            None => decide_atomic(draft, call, unit, findings)?,
        };
        verdicts.push((*unit, decided));
    }
    Ok(verdicts)
}

fn decide_items(
    draft: &mut Draft<'_>,
    call: &ActiveCall,
    unit: &Unit,
    findings: &Findings,
) -> Result<Vec<Verdict>, Failure> {
    let dry = call.pending.options.validate_only;
    call.items_of(unit)
        .iter()
        .map(|item| draft.decide(item, findings, dry))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Broken(error.to_string()))
}

/// A dry run of several items, one on top of the other; on a copy of the draft,
/// which is dropped.
fn decide_dry(
    draft: &Draft<'_>,
    call: &ActiveCall,
    unit: &Unit,
    findings: &Findings,
) -> Result<Vec<Verdict>, Failure> {
    if let Some(refusal) = atomic_reuse(call, findings) {
        return Ok(vec![refusal]);
    }
    if call
        .items_of(unit)
        .iter()
        .any(|item| draft.has_to_wait(item))
    {
        return Ok(vec![Verdict::Deferred]);
    }
    let mut trial = draft.trial();
    let mut verdicts = Vec::with_capacity(call.pending.items.len());
    for item in call.items_of(unit) {
        let verdict = trial
            .decide(item, findings, false)
            .map(|verdict| match verdict {
                Verdict::Accepted { first, count, .. } => trial.as_dry(item, first, count),
                other => other,
            });
        verdicts.push(verdict.map_err(|error| Failure::Broken(error.to_string()))?);
    }
    if call.pending.options.atomic.is_some()
        && let Some(refusal) = atomic_refusal(call, &verdicts)
    {
        return Ok(vec![refusal]);
    }
    Ok(verdicts)
}

/// All items or none. What refuses one refuses the call; what makes one wait
/// makes the call wait.
fn decide_atomic(
    draft: &mut Draft<'_>,
    call: &ActiveCall,
    unit: &Unit,
    findings: &Findings,
) -> Result<Vec<Verdict>, Failure> {
    let Some((key, hash)) = call.pending.atomic_key() else {
        return Ok(Vec::new());
    };
    if let Some(refusal) = atomic_reuse(call, findings) {
        return Ok(vec![refusal]);
    }
    let before = draft.clone();
    if !findings.applied.contains_key(&key) {
        draft.begin_atomic(key, hash);
    }
    let verdicts = decide_items(draft, call, unit, findings)?;
    if let Some(refusal) = atomic_refusal(call, &verdicts) {
        *draft = before;
        return Ok(vec![refusal]);
    }
    if verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Deferred))
    {
        *draft = before;
        return Ok(vec![Verdict::Deferred]);
    }
    draft.close_atomic();
    Ok(verdicts)
}

/// The call's own id was used for other items.
fn atomic_reuse(call: &ActiveCall, findings: &Findings) -> Option<Verdict> {
    let (key, hash) = call.pending.atomic_key()?;
    let applied = findings.applied.get(&key)?;
    (applied.hash != hash).then(|| {
        Verdict::CallRefused(Box::new(Rejection::RequestIdReused {
            field: "requests",
            event: applied.position,
        }))
    })
}

/// What refuses the call: the first of its items that is refused, or of which
/// the id was used for another request.
fn atomic_refusal(call: &ActiveCall, verdicts: &[Verdict]) -> Option<Verdict> {
    let items = call.pending.items.iter().zip(verdicts).enumerate();
    let refused = items
        .into_iter()
        .find_map(|(index, (item, verdict))| match verdict {
            Verdict::Refused(rejection) => Some((index, rejection.reason(), rejection.to_string())),
            Verdict::Applied(applied) if applied.hash != item.hash => Some((
                index,
                "REQUEST_ID_REUSED",
                "the request id was used for another request".to_owned(),
            )),
            _ => None,
        });
    refused.map(|(index, reason, message)| {
        Verdict::CallRefused(Box::new(Rejection::BatchItemRefused {
            index,
            reason,
            message,
        }))
    })
}

/// The requests that would be answered without writing, and of which it is not
/// known yet that they were not applied before.
pub(super) fn not_looked_up(
    calls: &[ActiveCall],
    verdicts: &Verdicts,
    findings: &Findings,
) -> Vec<RequestKey> {
    let mut keys = Vec::new();
    for (unit, decided) in verdicts {
        let Some(call) = calls.get(unit.call) else {
            continue;
        };
        for (item, verdict) in call.items_of(unit).iter().zip(decided) {
            let writes_nothing = matches!(
                verdict,
                Verdict::Refused(_) | Verdict::Nothing(_) | Verdict::Dry(..)
            );
            if let Some(key) = &item.key
                && writes_nothing
                && !findings.looked_up.contains(key)
            {
                keys.push(key.clone());
            }
        }
    }
    keys.sort_unstable_by(|a, b| (&a.account, a.request_id).cmp(&(&b.account, b.request_id)));
    keys.dedup();
    keys
}

/// What the units of a round are answered with, now that the log has it.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) verdicts: Verdicts,
    /// The events of what was accepted, in the order of the draft.
    pub(super) recorded: Vec<Arc<Recorded>>,
    pub(super) repeats: Repeats,
    pub(super) head: Head,
}

impl Answers {
    /// The units that have to wait for the next batch.
    pub(super) fn deferred(&self) -> Vec<Unit> {
        let waiting = self.verdicts.iter().filter(|(_, decided)| waits(decided));
        waiting.map(|(unit, _)| *unit).collect()
    }

    /// Puts every answer in its place.
    pub(super) fn put(mut self, calls: &mut [ActiveCall]) {
        for (unit, decided) in std::mem::take(&mut self.verdicts) {
            let Some(call) = calls.get_mut(unit.call) else {
                continue;
            };
            if waits(&decided) {
                continue;
            }
            let from = unit.item.unwrap_or(0);
            for (offset, verdict) in decided.into_iter().enumerate() {
                let index = from + offset;
                let Some(item) = call.pending.items.get(index) else {
                    continue;
                };
                let result = match verdict {
                    Verdict::CallRefused(rejection) => {
                        call.error = Some(EngineError::Rejected(rejection));
                        None
                    }
                    verdict => self.result(item, verdict),
                };
                if let Some(slot) = call.results.get_mut(index) {
                    *slot = result.map(|result| result.map_err(ItemError::Rejected));
                }
            }
        }
    }

    fn result(&self, item: &Prepared, verdict: Verdict) -> Option<Result<Answer, Rejection>> {
        match verdict {
            Verdict::Accepted {
                first,
                count,
                repeat,
            } => {
                let events = self.recorded.iter().skip(first).take(count);
                let account = &item.request.account;
                Some(Ok(answer_from(account, events.cloned().collect(), repeat)))
            }
            Verdict::Applied(request) => Some(repeat_answer(item, &request, &self.repeats)),
            Verdict::Refused(rejection) => Some(Err(rejection)),
            Verdict::Nothing(balances) => Some(Ok(self.unwritten(Vec::new(), balances))),
            Verdict::Dry(events, balances) => Some(Ok(self.unwritten(events, balances))),
            Verdict::CallRefused(_) | Verdict::Deferred => None,
        }
    }

    /// The answer to what wrote nothing.
    const fn unwritten(&self, events: Vec<Arc<Recorded>>, balances: Vec<Balance>) -> Answer {
        Answer {
            events,
            balances,
            replayed: false,
            seen_at: (self.head.position, self.head.hash),
        }
    }
}

/// Whether a unit has to wait for the next batch.
fn waits(decided: &[Verdict]) -> bool {
    let mut verdicts = decided.iter();
    verdicts.any(|verdict| matches!(verdict, Verdict::Deferred))
}
