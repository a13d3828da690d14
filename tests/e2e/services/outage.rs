//! A way to a service that can be cut.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// All of it.
    Open,
    /// What is asked for, and no answers.
    NoAnswers,
    /// Nothing: connections end at once.
    Closed,
}

/// Connections to an address by way of another one.
pub(crate) struct Outage {
    pub(crate) address: String,
    way: Arc<watch::Sender<Way>>,
}

impl Outage {
    /// An open way to a service.
    pub(crate) async fn before(service: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let way = Arc::new(watch::channel(Way::Open).0);
        let ways = Arc::clone(&way);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let mut at = ways.subscribe();
                if *at.borrow_and_update() == Way::Closed {
                    continue;
                }
                let service = TcpStream::connect(&service).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_service, to_service) = service.into_split();
                tokio::spawn(async move {
                    tokio::select! {
                        () = carry(from_client, to_service, None) => {}
                        () = carry(from_service, to_client, Some(at.clone())) => {}
                        // What was kept back is lost: a connection without answers does not become whole again.
                        () = ended(at) => {}
                    }
                });
            }
        });
        Self { address, way }
    }

    /// Lets through what is said, from now on.
    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Option<watch::Receiver<Way>>) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let is_kept_back = way.as_ref().is_some_and(|way| *way.borrow() != Way::Open);
        if !is_kept_back && to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

async fn ended(mut way: watch::Receiver<Way>) {
    let mut before = *way.borrow_and_update();
    while way.changed().await.is_ok() {
        let now = *way.borrow_and_update();
        if now == Way::Closed || before == Way::NoAnswers {
            return;
        }
        before = now;
    }
}
