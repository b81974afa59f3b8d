//! Connections that write rarely and much.
//!
//! HTTP/2 writes when a response is there, and under load hundreds become ready
//! in one turn of the runtime: without this, each costs a system call and a TCP
//! segment, which was a seventh of the service's time (docs/performance.md).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// How many bytes are gathered before they are written whatever comes: some thirty
/// answers, so that who waits for them begins before the last is there.
const GATHERED_BYTES_MAX: usize = 16 * 1024;

/// A connection that gathers what is written to it, and sends it when its task
/// has had another turn since the first request to flush: whoever became ready
/// meanwhile has written, too.
#[derive(Debug)]
pub(super) struct Coalesced<S> {
    connection: S,
    gathered: BytesMut,
    /// The task was put at the end of the queue, to flush when its turn comes.
    is_deferred: bool,
}

impl<S> Coalesced<S> {
    /// A connection with nothing gathered.
    pub(super) fn new(connection: S) -> Self {
        Self {
            connection,
            gathered: BytesMut::new(),
            is_deferred: false,
        }
    }
}

impl<S: AsyncWrite + Unpin> Coalesced<S> {
    /// Sends what is gathered.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let sent = ready!(Pin::new(&mut self.connection).poll_write(cx, &self.gathered))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(sent);
        }
        self.is_deferred = false;
        Poll::Ready(Ok(()))
    }

    /// Makes room for more.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.len() < GATHERED_BYTES_MAX {
            return Poll::Ready(Ok(()));
        }
        self.poll_send(cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coalesced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(cx))?;
        self.gathered.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(cx))?;
        let before = self.gathered.len();
        for slice in slices {
            self.gathered.extend_from_slice(slice);
        }
        Poll::Ready(Ok(self.gathered.len().saturating_sub(before)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.gathered.is_empty() && !self.is_deferred {
            self.is_deferred = true;
            // A task that wakes itself goes to the end of the queue.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Coalesced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, buffer)
    }
}

impl<S: Connected> Connected for Coalesced<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.connection.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    /// A connection that counts its writes.
    struct Counted(DuplexStream, Arc<AtomicUsize>);

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    fn connection(room_bytes: usize) -> (Coalesced<Counted>, DuplexStream, Arc<AtomicUsize>) {
        let (here, there) = tokio::io::duplex(room_bytes);
        let writes = Arc::new(AtomicUsize::new(0));
        let counted = Counted(here, Arc::clone(&writes));
        (Coalesced::new(counted), there, writes)
    }

    #[tokio::test]
    async fn what_is_written_before_the_flush_is_sent_at_once() {
        let (mut connection, mut peer, writes) = connection(1024);
        for part in ["one ", "two ", "three"] {
            connection.write_all(part.as_bytes()).await.unwrap();
        }
        assert_eq!(writes.load(Ordering::Relaxed), 0);
        connection.flush().await.unwrap();
        assert_eq!(writes.load(Ordering::Relaxed), 1);
        let mut seen = [0; 13];
        peer.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"one two three");
    }

    #[tokio::test]
    async fn more_than_fits_is_sent_without_a_flush() {
        let (mut connection, mut peer, _writes) = connection(1000);
        let sent: Vec<u8> = (0..3 * GATHERED_BYTES_MAX).map(|i| i as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            for part in sent.chunks(1000) {
                connection.write_all(part).await.unwrap();
            }
            connection.shutdown().await.unwrap();
        });
        let mut seen = Vec::new();
        peer.read_to_end(&mut seen).await.unwrap();
        writing.await.unwrap();
        assert!(seen == expected, "{} bytes arrived", seen.len());
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_error() {
        let (mut connection, peer, _writes) = connection(10);
        drop(peer);
        connection.write_all(b"anything").await.unwrap();
        assert!(connection.flush().await.is_err());
    }
}
