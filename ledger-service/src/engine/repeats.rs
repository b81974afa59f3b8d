//! Repeats of requests that were applied before: their events are read again,
//! and the first answer is made of them.

use std::sync::Arc;

use hashbrown::HashMap;
use ledger_core::{Rejection, event::HOUSE};

use super::{
    Answer, Recorded,
    draft::{Findings, Verdict, answer_from},
    job::Prepared,
    log,
    verdicts::Verdicts,
    writer::{Failure, Writer},
};
use crate::store::{RequestKey, StoredRequest, Wanted};

/// The events of the requests that were applied before, by position.
pub(super) type Repeats = HashMap<u64, Arc<Recorded>>;

impl Writer {
    /// Reads the events of the requests that were applied before, over the
    /// writer's own connection and before the append: what fails here has
    /// written nothing, and nobody's first answer waits for another's reads.
    pub(super) async fn read_repeats(
        &mut self,
        verdicts: &Verdicts,
        findings: &mut Findings,
    ) -> Result<Repeats, Failure> {
        let applied = applied_in(verdicts);
        if applied.is_empty() {
            return Ok(Repeats::new());
        }
        let mut positions: Vec<u64> = applied.iter().copied().flat_map(positions_of).collect();
        positions.sort_unstable();
        positions.dedup();
        let mut events = Repeats::with_capacity(positions.len());
        for row in self.log().await.read_at(&positions).await? {
            let recorded = log::decode(&row).map_err(Failure::Broken)?;
            events.insert(row.position, Arc::new(recorded));
        }
        let mislaid: Vec<&StoredRequest> = applied
            .into_iter()
            .filter(|request| !stands_there(request, &events))
            .collect();
        if mislaid.is_empty() {
            return Ok(events);
        }
        Err(self.look_up_again(&mislaid, findings).await?)
    }

    /// What was remembered of these requests is not what the log has at their
    /// positions: they are looked up anew. If the database itself says so, it
    /// is damaged.
    async fn look_up_again(
        &mut self,
        mislaid: &[&StoredRequest],
        findings: &mut Findings,
    ) -> Result<Failure, Failure> {
        for request in mislaid {
            findings.applied.remove(&request.key);
            self.answered.forget(&request.key);
        }
        let requests: Vec<RequestKey> = mislaid.iter().map(|request| request.key.clone()).collect();
        let wanted = Wanted {
            requests,
            ..Wanted::default()
        };
        self.load(&wanted, findings).await?;
        let damaged = mislaid
            .iter()
            .find(|request| findings.applied.get(&request.key) == Some(**request));
        Ok(damaged.map_or(Failure::Again, |request| {
            Failure::Broken(format!(
                "request {} of account {} does not stand at position {}",
                request.key.request_id, request.key.account, request.position
            ))
        }))
    }
}

fn applied_in(verdicts: &Verdicts) -> Vec<&StoredRequest> {
    verdicts
        .iter()
        .flat_map(|(_, verdicts)| verdicts)
        .filter_map(|verdict| match verdict {
            Verdict::Applied(request) => Some(request),
            _ => None,
        })
        .collect()
}

fn positions_of(request: &StoredRequest) -> impl Iterator<Item = u64> + use<> {
    request.position..request.position.saturating_add(u64::from(request.count))
}

/// Whether the events at a request's positions are that request's.
fn stands_there(request: &StoredRequest, events: &Repeats) -> bool {
    let is_whole = positions_of(request).all(|position| events.contains_key(&position));
    // The row of an atomic call stands under the house's account, over the
    // events of its items.
    is_whole && (begins_there(request, events) || request.key.account == HOUSE)
}

fn begins_there(request: &StoredRequest, events: &Repeats) -> bool {
    events.get(&request.position).is_some_and(|recorded| {
        let event = &recorded.event;
        event.account == request.key.account && event.request_id == Some(request.key.request_id)
    })
}

/// The first answer again; or a refusal that names what differs.
pub(super) fn repeat_answer(
    item: &Prepared,
    applied: &StoredRequest,
    events: &Repeats,
) -> Result<Answer, Rejection> {
    let reused = |field| Rejection::RequestIdReused {
        field,
        event: applied.position,
    };
    if !begins_there(applied, events) {
        // It is the id of an atomic call.
        return Err(reused("command"));
    }
    let events: Vec<Arc<Recorded>> = positions_of(applied)
        .filter_map(|position| events.get(&position).cloned())
        .collect();
    if applied.hash != item.hash {
        let first = events.first();
        let field = first.and_then(|recorded| {
            let command = recorded.event.request.as_deref()?;
            item.request
                .differing_field(command, &recorded.event.annotations)
        });
        if let Some(field) = field {
            return Err(reused(field));
        }
    }
    Ok(answer_from(&item.request.account, events, true))
}
