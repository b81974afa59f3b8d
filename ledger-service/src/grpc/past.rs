//! The past of an account: what it was like at a moment, and what the events that
//! made it say.

use std::time::Instant;

use ledger_core::{Timestamp, account::Hold};
use ledger_proto::v1;
use tonic::Status;

use super::{
    edge::{Edge, Look},
    names,
    parse::AsOf,
    render, status,
};
use crate::projections::{account_at, events_at};

/// The account as it was at a past moment. The catalog is the one in force
/// now: what a past one would have given to an account that did not exist
/// nobody has seen, and of one that did, it could change only the grace of
/// what a hold gave back in between.
pub(super) async fn look_back(
    edge: &Edge,
    mut look: Look,
    as_of: AsOf,
    deadline: Instant,
) -> Result<Look, Status> {
    let (position, time) = moment(edge, &look, as_of).await?;
    let book = look.name.book();
    let ids = (book, look.name.account());
    let account = account_at(&edge.index, ids, &look.account, position, deadline).await;
    let account = account.map_err(|error| status::read(&error, book))?;
    look.account = account.into();
    look.snapshot.now = time;
    look.snapshot.head.position = position;
    Ok(look)
}

/// The position and the time of a past state.
async fn moment(edge: &Edge, look: &Look, as_of: AsOf) -> Result<(u64, Timestamp), Status> {
    let book = look.name.book();
    let store = edge.engine.store();
    match as_of {
        AsOf::Time(time) if time > look.snapshot.now => {
            Err(status::invalid_field("as_of", "must not be in the future"))
        }
        AsOf::Time(time) => {
            let position = store.position_at(book, time).await;
            let position = position.map_err(|error| status::store(&error))?;
            Ok((position.min(look.snapshot.head.position), time))
        }
        AsOf::Position(position) if position > look.snapshot.head.position => {
            let event = names::event_name(book, position);
            Err(status::event_not_found(&event))
        }
        AsOf::Position(position) => {
            let events = events_at(store, book, &[position]).await;
            let events = events.map_err(|error| status::read(&error, book))?;
            let event = events.first().map(|recorded| &recorded.event);
            let event = event.ok_or_else(|| status::incomplete("an event of a read"))?;
            Ok((position, event.recorded_at))
        }
    }
}

/// Open holds, the oldest first, with what the caller called them, which is in
/// their events.
pub(super) async fn told_holds(
    edge: &Edge,
    book: &str,
    holds: &[&Hold],
) -> Result<Vec<v1::Hold>, Status> {
    let positions: Vec<u64> = holds.iter().map(|hold| hold.position).collect();
    let events = events_at(edge.engine.store(), book, &positions).await;
    let events = events.map_err(|error| status::read(&error, book))?;
    let told = holds.iter().zip(events).map(|(hold, placed)| {
        let external_id = placed.event.annotations.external_id;
        render::hold(book, hold, external_id.as_ref())
    });
    Ok(told.collect())
}
