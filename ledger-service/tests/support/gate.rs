//! A point in the middle of a call at which a test holds the writer up.

use tokio::sync::oneshot;

use super::faulty::Fault;

/// Where a call waits until the test lets it go on.
pub(crate) struct Gate {
    arrived: oneshot::Receiver<()>,
    open: oneshot::Sender<()>,
}

impl Gate {
    /// A gate before a call.
    pub(crate) fn before() -> (Fault, Self) {
        let (arrive, arrived) = oneshot::channel();
        let (open, opened) = oneshot::channel();
        let wait = async move {
            arrive.send(()).unwrap();
            // A test that has failed meanwhile does not open its gates.
            opened.await.unwrap_or_default();
        };
        (Fault::before(wait), Self { arrived, open })
    }

    /// Waits until the call is there.
    pub(crate) async fn arrived(&mut self) {
        (&mut self.arrived).await.unwrap();
    }

    /// Lets it go on.
    pub(crate) fn open(self) {
        self.open.send(()).unwrap();
    }
}
