//! The connections: how they are taken, how long a client may keep one waiting, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use crate::options::Options;
use crate::router::Peer;

/// The most bytes of a request's head, and of what is read ahead of a body.
const BUFFER: usize = 64 << 10;

/// All connections of a server.
pub(crate) struct Connections {
    router: Router,
    open: Arc<Semaphore>,
    graceful: GracefulShutdown,
    idle: Duration,
}

impl Connections {
    pub(crate) fn new(router: Router, options: &Options) -> Self {
        let open = Arc::new(Semaphore::new(options.max_connections.get()));
        Self { router, open, graceful: GracefulShutdown::new(), idle: options.idle() }
    }

    /// Waits for the next connection, once there is room for it, and serves it beside all others.
    ///
    /// # Errors
    /// If it cannot be taken, as when the process has no more files: not for long, it is to be hoped.
    pub(crate) async fn take(&self, listener: &TcpListener) -> std::io::Result<()> {
        let Ok(room) = self.open.clone().acquire_owned().await else { return Ok(()) };
        match listener.accept().await {
            Ok((stream, peer)) => self.serve(stream, peer, room),
            Err(problem) => {
                // Gone before it was taken is nobody's problem; else, others have to end first.
                use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
                if !matches!(problem.kind(), ConnectionAborted | ConnectionReset) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    return Err(problem);
                }
            }
        }
        Ok(())
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, room: OwnedSemaphorePermit) {
        // An answer is small, and is not to wait for more.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.idle));
        let router = self.router.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.idle)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            // How it ended is its client's concern.
            let _ = connection.await;
            drop(room);
        });
    }

    /// Lets all connections end when what they have asked is answered.
    pub(crate) async fn drain(self) {
        self.graceful.shutdown().await;
    }
}
