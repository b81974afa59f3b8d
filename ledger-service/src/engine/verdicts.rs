//! The verdicts of a round: how its units are decided, and how verdicts become
//! answers.

use ledger_core::Rejection;

use super::{
    Answer, EngineError, ItemError,
    draft::{Decisions, Draft, Findings, Verdict},
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

/// The answers to what was accepted, in the order of the verdicts.
pub(super) fn first_answers(
    decisions: &Decisions,
    calls: &[ActiveCall],
    verdicts: &Verdicts,
) -> Vec<Vec<Answer>> {
    verdicts
        .iter()
        .map(|(unit, decided)| {
            let Some(call) = calls.get(unit.call) else {
                return Vec::new();
            };
            call.items_of(unit)
                .iter()
                .zip(decided)
                .filter_map(|(item, verdict)| match verdict {
                    Verdict::Accepted {
                        first,
                        count,
                        repeat,
                    } => {
                        let mut answer = decisions.answer(item, *first, *count);
                        answer.replayed = *repeat;
                        Some(answer)
                    }
                    _ => None,
                })
                .collect()
        })
        .collect()
}

/// Puts every answer in its place; gives back the units that have to wait.
pub(super) fn answer_all(
    calls: &mut [ActiveCall],
    verdicts: Verdicts,
    answers: Vec<Vec<Answer>>,
    repeats: &Repeats,
    head: Head,
) -> Vec<Unit> {
    let mut deferred = Vec::new();
    for ((unit, decided), first_answers) in verdicts.into_iter().zip(answers) {
        let mut first_answers = first_answers.into_iter();
        let Some(call) = calls.get_mut(unit.call) else {
            continue;
        };
        if decided
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Deferred))
        {
            deferred.push(unit);
            continue;
        }
        let from = unit.item.unwrap_or(0);
        for (offset, verdict) in decided.into_iter().enumerate() {
            let index = from + offset;
            let Some(item) = call.pending.items.get(index) else {
                continue;
            };
            let result = match verdict {
                Verdict::Accepted { .. } => first_answers.next().map(Ok),
                Verdict::Applied(request) => Some(repeat_answer(item, &request, repeats)),
                Verdict::Refused(rejection) => Some(Err(rejection)),
                Verdict::CallRefused(rejection) => {
                    call.error = Some(EngineError::Rejected(rejection));
                    None
                }
                Verdict::Nothing(balances) => Some(Ok(Answer {
                    events: Vec::new(),
                    balances,
                    replayed: false,
                    seen_at: (head.position, head.hash),
                })),
                Verdict::Dry(events, balances) => Some(Ok(Answer {
                    events,
                    balances,
                    replayed: false,
                    seen_at: (head.position, head.hash),
                })),
                Verdict::Deferred => None,
            };
            if let Some(slot) = call.results.get_mut(index) {
                *slot = result.map(|result| result.map_err(ItemError::Rejected));
            }
        }
    }
    deferred
}
