//! Asking the node that runs in a home directory.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::access::{HEADER, Token, TokenError};
use crate::server::PORT_FILE;

/// Length of the longest answer that is taken, in bytes.
const ANSWER_LEN_MAX: usize = 64 << 20;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the node does not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No node has run in this home directory, or not as a service.
    #[error("no node has run in {}: start one with `zt node --home {}`", .0.display(), .0.display())]
    NeverRan(PathBuf),
    /// The file that says where the node listens cannot be understood.
    #[error("{} is no port: remove it, and start the node again", .0.display())]
    Port(PathBuf),
    /// There is no token to show.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Nobody listens where the node did.
    #[error("no node listens on TCP port {port} of this machine ({source}): is it running?")]
    NotRunning {
        /// The port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// It does not know this home directory's token.
    #[error(
        "who listens on TCP port {0} does not take the token of this home directory: is it another's node?"
    )]
    Refused(u16),
    /// It answers, but not this.
    #[error("the node answers {0}: is it of another version?")]
    Status(u16),
    /// It does not speak HTTP, ends the connection, or sends something else than JSON.
    #[error("who listens on TCP port {0} gives no answer that can be understood")]
    NoAnswer(u16),
}

/// Asks the node that runs in the home directory `home` for what is at `path` of the local API.
///
/// # Errors
///
/// [`AskError`].
pub async fn ask(home: &Path, path: &str) -> Result<Value, AskError> {
    let port_file = home.join(PORT_FILE);
    let text = fs::read_to_string(&port_file).map_err(|_| AskError::NeverRan(home.to_owned()))?;
    let port = text.trim().parse().map_err(|_| AskError::Port(port_file))?;
    let token = Token::read(home)?;
    let answer = timeout(PATIENCE, get(port, &token, path)).await;
    answer.unwrap_or(Err(AskError::NoAnswer(port)))
}

async fn get(port: u16, token: &Token, path: &str) -> Result<Value, AskError> {
    let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    let connection = connection.map_err(|source| AskError::NotRunning { port, source })?;
    let unintelligible = |_| AskError::NoAnswer(port);

    let opened = http1::handshake(TokioIo::new(connection)).await;
    let (mut sender, connection) = opened.map_err(unintelligible)?;
    let mut running = JoinSet::new();
    running.spawn(connection);

    let mut secret = HeaderValue::from_str(token.as_str()).map_err(|_| AskError::Refused(port))?;
    secret.set_sensitive(true);
    let request = Request::get(path)
        .header("host", "127.0.0.1")
        .header(HEADER, secret)
        .body(Empty::<Bytes>::new())
        .map_err(|_| AskError::NoAnswer(port))?;
    let answer = sender.send_request(request).await.map_err(unintelligible)?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(AskError::Refused(port)),
        status => return Err(AskError::Status(status.as_u16())),
    }
    let body = Limited::new(answer.into_body(), ANSWER_LEN_MAX).collect().await;
    let body = body.map_err(|_| AskError::NoAnswer(port))?.to_bytes();
    serde_json::from_slice(&body).map_err(|_| AskError::NoAnswer(port))
}
