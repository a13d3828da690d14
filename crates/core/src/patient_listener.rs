//! Connections to the small servers within mep: bounded in number, and closed where the other side stands still.
//!
//! Owns when a connection has waited for too long: requests that are sent by halves and answers that nobody takes hold
//! neither memory nor files. Must not know what is served.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once; a browser has six for a page.
const MOST_CONNECTIONS: usize = 128;
/// How long a connection may be without a byte being written to it.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Accepts connections.
pub struct PatientListener {
    listener: TcpListener,
    free: Arc<Semaphore>,
    patience: Duration,
}

impl PatientListener {
    /// Of connections to this address.
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(MOST_CONNECTIONS)), patience: PATIENCE }
    }
}

impl Listener for PatientListener {
    type Io = PatientStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed.
        let permit = self.free.clone().acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let deadline = Box::pin(tokio::time::sleep(self.patience));
        (PatientStream { stream, deadline, patience: self.patience, _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails where nothing was written to it for long.
pub struct PatientStream {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    patience: Duration,
    _permit: Option<OwnedSemaphorePermit>,
}

impl PatientStream {
    /// What is to come of a step that did not end: it waits on, until the deadline.
    fn waiting<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn wrote(&mut self) {
        let next = Instant::now() + self.patience;
        self.deadline.as_mut().reset(next);
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Bytes that come one by one are no reason to wait for longer.
        if let Poll::Ready(late) = self.waiting(context) {
            return Poll::Ready(late);
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.waiting(context),
            Poll::Ready(written) => {
                self.wrote();
                Poll::Ready(written)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn half_sent_requests_end_and_leave_room_for_whole_ones() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let patience = Duration::from_millis(300);
        let listener = PatientListener { patience, ..PatientListener::new(listener) };
        let router = Router::new().route("/", get(|| async { "whole" }));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let mut halves = Vec::new();
        for _ in 0..2 * MOST_CONNECTIONS {
            let mut half = TcpStream::connect(address).await.unwrap();
            half.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
            halves.push(half);
        }
        let mut whole = TcpStream::connect(address).await.unwrap();
        whole.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut said = String::new();
        whole.read_to_string(&mut said).await.unwrap();
        assert!(said.ends_with("whole"), "{said}");
        for mut half in halves {
            let mut rest = Vec::new();
            // Closed, whichever way the system tells it.
            let _ = half.read_to_end(&mut rest).await;
        }
        serving.abort();
    }
}
