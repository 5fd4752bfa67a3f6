//! The local API, as it is served beside a node.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zt_runtime::{Handle, RequestError};

use crate::access::{Token, TokenError};
use crate::peers;

/// The file in the home directory that says where the API is: a port, in decimal.
pub(crate) const PORT_FILE: &str = "zerotier-one.port";

/// Connections at the same time; more wait until one of these has ended.
const CONNECTIONS_MAX: usize = 32;

/// How long a connection may last, whatever is asked on it.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);

/// How long a request's head may take to arrive.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait when the system gives no connection, for want of descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The local API of a running node. It ends when this is dropped.
#[derive(Debug)]
pub struct Api {
    port: u16,
    /// Ends with the value it is in.
    _listeners: JoinSet<Infallible>,
}

/// Why there is no local API.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// There is nothing programs could prove their right with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The port is not to be had at any loopback address.
    #[error("cannot listen on TCP port {port} of this machine: {source}")]
    Listen {
        /// The port: that of the node's UDP.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// Programs cannot be told where it is.
    #[error("cannot write {}: {source}", .path.display())]
    PortFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Api {
    /// Serves the API of `node`, which runs in the home directory `home`, at the number of its
    /// primary port.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; the node is not touched.
    pub async fn start(home: &Path, node: Handle) -> Result<Self, ApiError> {
        let token = Token::read_or_make(home)?;
        let port = node.bound().first().map_or(0, SocketAddr::port);

        let ipv4 = listen((Ipv4Addr::LOCALHOST, port).into()).await?;
        let port = ipv4.local_addr().map_or(port, |bound| bound.port());
        // Not every machine has IPv6.
        let ipv6 = listen((Ipv6Addr::LOCALHOST, port).into()).await.ok();

        let path = home.join(PORT_FILE);
        fs::write(&path, port.to_string()).map_err(|source| ApiError::PortFile { path, source })?;

        let router = router(node, token);
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut listeners = JoinSet::new();
        for listener in [Some(ipv4), ipv6].into_iter().flatten() {
            listeners.spawn(accept(listener, router.clone(), Arc::clone(&room)));
        }
        Ok(Self { port, _listeners: listeners })
    }

    /// Returns the TCP port it is served at.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ApiError> {
    let port = address.port();
    TcpListener::bind(address).await.map_err(|source| ApiError::Listen { port, source })
}

async fn accept(listener: TcpListener, router: Router, room: Arc<Semaphore>) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let place = Arc::clone(&room).acquire_owned().await.expect("it is never closed");
        match listener.accept().await {
            Ok((connection, _)) => {
                let router = router.clone();
                connections.spawn(async move {
                    serve(connection, router).await;
                    drop(place);
                });
            }
            Err(error) => {
                log::debug!(error:% = error; "no connection to the local API");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(connection: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(connection), TowerToHyperService::new(router));
    // Whatever went wrong, the other side has seen it, or gone away.
    let _ = timeout(CONNECTION_LIFETIME, connection).await;
}

fn router(node: Handle, token: Token) -> Router {
    Router::new()
        .route("/libzt/peers", get(all_peers))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::NOT_FOUND })
        .with_state(node)
        .layer(middleware::from_fn_with_state(token, only_with_token))
}

async fn only_with_token(State(token): State<Token>, request: Request, next: Next) -> Response {
    if token.is_in(request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, Json(json!({}))).into_response()
}

async fn all_peers(State(node): State<Handle>) -> Result<Json<Value>, StatusCode> {
    let stopped = |_: RequestError| StatusCode::SERVICE_UNAVAILABLE;
    let mut listed = Vec::new();
    for peer in node.peers().await.map_err(stopped)? {
        let explanation = node.explain(peer.address).await.map_err(stopped)?;
        // A peer may have been forgotten in between.
        listed.extend(explanation.map(|explanation| peers::to_json(&peer, &explanation)));
    }
    Ok(Json(listed.into()))
}
