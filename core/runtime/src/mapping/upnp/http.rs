//! One question to a device over HTTP, and its answer.
//!
//! A connection serves once. What a device sends is bounded as a whole, head and body, and in time.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Take,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits::{UPNP_ANSWER_LEN_MAX, UPNP_ANSWER_PATIENCE, UPNP_PATH_LEN_MAX};

/// Where a device is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Location {
    pub(super) at: SocketAddrV4,
    /// With the slash it begins with; printable ASCII.
    path: String,
}

impl Location {
    /// Reads an absolute URL of HTTP, whose host is an IPv4 address and not a name.
    pub(super) fn read(url: &str) -> Option<Self> {
        const SCHEME: &str = "http://";
        const PORT: u16 = 80;

        let scheme = url.get(..SCHEME.len())?;
        let rest = url.get(SCHEME.len()..).filter(|_| scheme.eq_ignore_ascii_case(SCHEME))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let at = match authority.split_once(':') {
            Some(_) => authority.parse().ok()?,
            None => SocketAddrV4::new(authority.parse::<Ipv4Addr>().ok()?, PORT),
        };
        Self { at, path: String::new() }.with_path(if path.is_empty() { "/" } else { path })
    }

    /// Returns where `reference`, found here, leads: within the same machine, or nowhere.
    pub(super) fn join(&self, reference: &str) -> Option<Self> {
        if reference.contains("://") {
            Self::read(reference).filter(|other| other.at.ip() == self.at.ip())
        } else if reference.starts_with('/') {
            self.with_path(reference)
        } else {
            let (directory, _) = self.path.rsplit_once('/')?;
            self.with_path(&format!("{directory}/{reference}"))
        }
    }

    fn with_path(&self, path: &str) -> Option<Self> {
        let is_sound =
            path.len() <= UPNP_PATH_LEN_MAX && path.bytes().all(|byte| byte.is_ascii_graphic());
        is_sound.then(|| Self { at: self.at, path: path.to_owned() })
    }
}

/// What a device answers.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    pub(super) body: String,
}

/// Asks for the document at `location`.
///
/// # Errors
///
/// Those of the connection; [`ErrorKind::InvalidData`] and [`ErrorKind::UnexpectedEof`] if what
/// comes is no answer, or too long.
pub(super) async fn get(location: &Location) -> io::Result<Answer> {
    ask(location, "GET", "\r\n").await
}

/// Calls an action of the service at `location`, `action` being its name with the service's.
///
/// # Errors
///
/// As for [`get`].
pub(super) async fn post(location: &Location, action: &str, body: &str) -> io::Result<Answer> {
    let len = body.len();
    let rest = format!(
        "Content-Type: text/xml; charset=\"utf-8\"\r\nContent-Length: {len}\r\n\
         SOAPAction: \"{action}\"\r\n\r\n{body}"
    );
    ask(location, "POST", &rest).await
}

async fn ask(location: &Location, method: &str, rest: &str) -> io::Result<Answer> {
    let Location { at, path } = location;
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{rest}");
    let exchange = async {
        let mut stream = TcpStream::connect(at).await?;
        stream.write_all(request.as_bytes()).await?;
        read(BufReader::new(stream)).await
    };
    timeout(UPNP_ANSWER_PATIENCE, exchange).await?
}

/// How the end of a body is found.
enum Framing {
    /// It is so long.
    Length(usize),
    /// It comes in pieces that say how long they are.
    Chunks,
    /// The connection ends with it.
    Connection,
}

async fn read(stream: impl AsyncBufRead + Unpin) -> io::Result<Answer> {
    let mut stream = stream.take(UPNP_ANSWER_LEN_MAX);
    loop {
        let status = status(&line(&mut stream).await?)?;
        let framing = framing(&mut stream).await?;
        // Below are those that say that the answer is still to come.
        if status >= 200 {
            let body = body(&mut stream, framing).await?;
            return Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() });
        }
    }
}

/// Returns the status code in the first line of an answer.
fn status(line: &str) -> io::Result<u16> {
    let mut words = line.split_ascii_whitespace();
    match (words.next(), words.next().map(str::parse)) {
        (Some(version), Some(Ok(status))) if version.starts_with("HTTP/1.") => Ok(status),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// Reads the header, and returns what it says about the body.
async fn framing(stream: &mut Take<impl AsyncBufRead + Unpin>) -> io::Result<Framing> {
    let mut framing = Framing::Connection;
    loop {
        let line = line(stream).await?;
        if line.is_empty() {
            return Ok(framing);
        }
        let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunks;
        } else if name.eq_ignore_ascii_case("content-length")
            && let Framing::Connection = framing
        {
            framing = Framing::Length(value.parse().map_err(|_| ErrorKind::InvalidData)?);
        }
    }
}

async fn body(
    stream: &mut Take<impl AsyncBufRead + Unpin>,
    framing: Framing,
) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match framing {
        Framing::Length(len) => append(stream, &mut body, len).await?,
        Framing::Chunks => loop {
            let line = line(stream).await?;
            let (size, _extension) = line.split_once(';').unwrap_or((&line, ""));
            let size = usize::from_str_radix(size.trim_ascii(), 16);
            match size.map_err(|_| ErrorKind::InvalidData)? {
                // What follows the last piece are headers of no interest.
                0 => break,
                size => append(stream, &mut body, size).await?,
            }
            self::line(stream).await?;
        },
        Framing::Connection => {
            stream.read_to_end(&mut body).await?;
            if stream.limit() == 0 {
                return Err(ErrorKind::InvalidData.into());
            }
        }
    }
    Ok(body)
}

/// Reads `len` bytes more.
async fn append(
    stream: &mut Take<impl AsyncBufRead + Unpin>,
    body: &mut Vec<u8>,
    len: usize,
) -> io::Result<()> {
    // What cannot come any more is not given room.
    if u64::try_from(len).is_ok_and(|len| len > stream.limit()) {
        return Err(ErrorKind::InvalidData.into());
    }
    let start = body.len();
    body.resize(start + len, 0);
    stream.read_exact(&mut body[start..]).await.map(drop)
}

/// Reads a line, and returns it without its end.
async fn line(stream: &mut Take<impl AsyncBufRead + Unpin>) -> io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await?;
    let line = line.strip_suffix(b"\n").ok_or(ErrorKind::UnexpectedEof)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WITH_LENGTH: &str = "HTTP/1.1 500 Fault\r\nEXT:\r\ncontent-length:  4\r\n\r\nbody";
    const IN_CHUNKS: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\
        Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nbod\r\n01\r\ny\r\n0\r\n";

    fn answer(bytes: &[u8]) -> io::Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(bytes))
    }

    fn location(url: &str) -> Location {
        Location::read(url).unwrap()
    }

    #[test]
    fn a_body_ends_where_its_header_says_or_with_the_connection() {
        let body = |status| Answer { status, body: "body".to_owned() };

        assert_eq!(answer(WITH_LENGTH.as_bytes()).unwrap(), body(500));
        assert_eq!(answer((WITH_LENGTH.to_owned() + " and more").as_bytes()).unwrap(), body(500));
        assert_eq!(answer(IN_CHUNKS.as_bytes()).unwrap(), body(200));
        assert_eq!(answer(b"HTTP/1.0 200\nA: b\n\nbody").unwrap(), body(200));
    }

    #[test]
    fn every_part_of_an_answer_from_its_beginning_is_refused() {
        for whole in [WITH_LENGTH, IN_CHUNKS] {
            for len in 0..whole.len() {
                assert!(answer(&whole.as_bytes()[..len]).is_err(), "{}", &whole[..len]);
            }
        }
    }

    #[test]
    fn an_answer_longer_than_the_bound_is_refused_and_given_no_room() {
        let max = usize::try_from(UPNP_ANSWER_LEN_MAX).unwrap();
        let endless = |head: &str| [head.as_bytes(), &vec![b'1'; max]].concat();

        for head in [
            "",
            "HTTP/1.1 200\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200\r\nTransfer-Encoding: a\r\n\r\n",
            "HTTP/1.1 200\r\nContent-Length: 70000\r\n\r\n",
            "HTTP/1.1 200\r\nContent-Length: 18446744073709551615\r\n\r\n",
            "HTTP/1.1 200\r\nTransfer-Encoding: a\r\n\r\nffffffffffffffff\r\n",
        ] {
            assert!(answer(&endless(head)).is_err(), "{head}");
        }
    }

    #[test]
    fn locations_are_addresses_and_paths() {
        assert_eq!(location("http://192.0.2.1:5000/a/b?c").path, "/a/b?c");
        assert_eq!(location("HTTP://192.0.2.1").at.to_string(), "192.0.2.1:80");
        assert_eq!(location("http://192.0.2.1").path, "/");
        for url in [
            "",
            "http:/",
            "https://192.0.2.1/",
            "http://gateway/",
            "http://192.0.2.1:/",
            "http://[2001:db8::1]/",
            "http://me@192.0.2.1/",
            "http://192.0.2.1/a b",
            "http://192.0.2.1/\r\nX:",
            "http://192.0.2.1/\u{e9}",
        ] {
            assert_eq!(Location::read(url), None, "{url}");
        }
    }

    #[test]
    fn references_lead_anywhere_on_the_same_machine() {
        let here = location("http://192.0.2.1:5000/a/b.xml");

        assert_eq!(here.join("/c").unwrap(), location("http://192.0.2.1:5000/c"));
        assert_eq!(here.join("c").unwrap(), location("http://192.0.2.1:5000/a/c"));
        assert_eq!(here.join("http://192.0.2.1:81/").unwrap(), location("http://192.0.2.1:81/"));
        assert_eq!(here.join("http://192.0.2.2:5000/c"), None);
        assert_eq!(here.join("/c\r\nX: y"), None);
        assert_eq!(here.join(&"c".repeat(UPNP_PATH_LEN_MAX)), None);
    }

    proptest! {
        #[test]
        fn no_input_panics(
            bytes in "(HTTP/1.1 200\r\n)?((Content-Length|Transfer-Encoding):[0-9]{0,3}\r\n)?(\r\n)?.{0,20}",
            damage in any::<(usize, u8)>(),
        ) {
            let mut bytes = bytes.into_bytes();
            if let Some(byte) = bytes.len().checked_sub(1).map(|last| &mut bytes[damage.0 % (last + 1)]) {
                *byte = damage.1;
            }
            let _ = answer(&bytes);
            let text = String::from_utf8_lossy(&bytes);
            let _ = Location::read(&text).and_then(|location| location.join(&text));
        }
    }
}
