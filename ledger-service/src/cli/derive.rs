//! What events make beside themselves, as `verify` expects it and `rebuild`
//! makes it: the rows of requests, of atomic calls and of providers' ids.

use ledger_core::{Event, event::HOUSE};

use crate::{
    engine::log,
    store::{Hash, RequestKey, StoredRequest},
};

/// The rows of `requests`, from the events in the order of the log.
#[derive(Default)]
pub(super) struct Requests {
    /// The request whose events are being read.
    request: Option<StoredRequest>,
    /// The atomic call whose events are being read.
    call: Option<StoredRequest>,
}

impl Requests {
    /// Takes in the next event, and adds the rows that end before it to `rows`.
    ///
    /// # Errors
    /// What is wrong with the event.
    pub(super) fn take_in(
        &mut self,
        event: &Event,
        rows: &mut Vec<StoredRequest>,
    ) -> Result<(), String> {
        let Some(command) = &event.request else {
            self.go_on(event);
            return Ok(());
        };
        rows.extend(self.request.take());
        if !self.is_of_call(event) {
            rows.extend(self.call.take());
            self.call = call(event)?;
        } else if let Some(call) = &mut self.call {
            call.count = call.count.saturating_add(1);
        }
        self.request = event.request_id.map(|request_id| StoredRequest {
            key: RequestKey {
                account: event.account.clone(),
                request_id,
            },
            position: event.position,
            count: 1,
            hash: log::request_hash(command, &event.annotations),
        });
        Ok(())
    }

    /// After the last event: adds the rows that are left to `rows`.
    pub(super) fn finish(&mut self, rows: &mut Vec<StoredRequest>) {
        rows.extend(self.request.take());
        rows.extend(self.call.take());
    }

    /// Another event of what the last one is of.
    fn go_on(&mut self, event: &Event) {
        if let Some(request) = &mut self.request
            && Some(request.key.request_id) == event.request_id
        {
            request.count = request.count.saturating_add(1);
        }
        if let Some(call) = &mut self.call {
            call.count = call.count.saturating_add(1);
        }
    }

    /// Whether a request that begins here is another item of the open call.
    fn is_of_call(&self, event: &Event) -> bool {
        let call = self.call.as_ref().map(|call| call.key.request_id);
        call.is_some() && call == event.call_id && event.call_hash.is_none()
    }
}

/// The row of an atomic call that begins with this event.
fn call(event: &Event) -> Result<Option<StoredRequest>, String> {
    let (Some(request_id), Some(hash)) = (event.call_id, &event.call_hash) else {
        return Ok(None);
    };
    let hash = Hash::try_from(hash.as_slice())
        .map_err(|_| format!("event {}: the call's hash is no hash", event.position))?;
    Ok(Some(StoredRequest {
        key: RequestKey {
            account: HOUSE.into(),
            request_id,
        },
        position: event.position,
        count: 1,
        hash,
    }))
}
