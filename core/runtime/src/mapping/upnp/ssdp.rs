//! The search for devices (UPnP Device Architecture 1.1, §1.3): a datagram to all of them, and
//! another back from each that is what is searched for.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use zt_protocol::endpoint::Scope;

use super::http::Location;
use crate::limits::{GATEWAY_ANSWER_LEN_MAX, UPNP_SEARCH_ANSWERS_MAX};
use crate::mapping::gateway::Site;

/// What gateways say that they are. Some answer for themselves, some for a service.
const TARGETS: [&str; 3] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    socket: UdpSocket,
    site: Site,
    deadline: Instant,
    answers: usize,
}

impl Search {
    /// Asks all devices of the network, which listen at `ssdp`, and the gateway by itself, as
    /// some networks carry no groups.
    ///
    /// # Errors
    ///
    /// The system lets nothing be sent to either.
    pub(super) async fn start(site: Site, ssdp: SocketAddr, deadline: Instant) -> io::Result<Self> {
        let socket = UdpSocket::bind((site.local, 0)).await?;
        // Else a network of ours with a route for groups would be searched.
        SockRef::from(&socket).set_multicast_if_v4(&site.local)?;
        let alone = site.gateway.map(|gateway| SocketAddr::from((gateway, ssdp.port())));
        let mut sent = Err(io::ErrorKind::NetworkUnreachable.into());
        for to in [Some(ssdp), alone.filter(|&alone| alone != ssdp)].into_iter().flatten() {
            for target in TARGETS {
                let message = format!(
                    "M-SEARCH * HTTP/1.1\r\nHOST: {ssdp}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
                     ST: {target}\r\n\r\n"
                );
                sent = socket.send_to(message.as_bytes(), to).await.or(sent);
            }
        }
        sent.map(|_| Self { socket, site, deadline, answers: 0 })
    }

    /// Waits for the next device that may be the gateway; returns where it describes itself, or
    /// `None` when the time is over or too many have answered.
    pub(super) async fn next(&mut self) -> Option<Location> {
        // What is longer is cut off, and says nothing of interest there.
        let mut datagram = [0; GATEWAY_ANSWER_LEN_MAX];
        while self.answers < UPNP_SEARCH_ANSWERS_MAX {
            self.answers += 1;
            // An error is that of a datagram sent before: nobody listens at the gateway.
            let received = timeout_at(self.deadline, self.socket.recv_from(&mut datagram)).await;
            let Ok((len, from)) = received.ok()? else { continue };
            let location = read(&datagram[..len]).filter(|location| {
                IpAddr::V4(*location.at.ip()) == from.ip() && is_meant(location.at, self.site)
            });
            if location.is_some() {
                return location;
            }
        }
        None
    }
}

/// Returns whether what is at `at` may be the gateway: anybody may answer.
fn is_meant(at: SocketAddrV4, site: Site) -> bool {
    let is_private = || Scope::of(IpAddr::V4(*at.ip())) == Scope::Private;
    site.gateway.map_or_else(is_private, |gateway| *at.ip() == gateway)
}

/// Returns where the device describes itself whose answer to a search this is.
fn read(datagram: &[u8]) -> Option<Location> {
    let answer = std::str::from_utf8(datagram).ok()?;
    let mut lines = answer.lines();
    lines.next().filter(|first| first.starts_with("HTTP/1.1 200"))?;
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let (_, url) = headers.find(|(name, _)| name.eq_ignore_ascii_case("location"))?;
    Location::read(url.trim_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_says_where_the_device_describes_itself() {
        let answer = "HTTP/1.1 200 OK\r\nST: a\r\nLocation:http://192.0.2.1:5000/a.xml \r\n\r\n";

        let location = Location::read("http://192.0.2.1:5000/a.xml");
        assert_eq!(read(answer.as_bytes()), location);
        for other in [
            "",
            "HTTP/1.1 200 OK\r\nST: a\r\n",
            "HTTP/1.1 404\r\nLOCATION: http://192.0.2.1/\r\n",
            "NOTIFY * HTTP/1.1\r\nLOCATION: http://192.0.2.1/\r\n",
            "HTTP/1.1 200 OK\r\nLOCATION: /a\r\n",
        ] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn where_the_gateway_is_known_nobody_else_is_meant() {
        let at = |ip: &str| SocketAddrV4::new(ip.parse().unwrap(), 5_000);
        let local = "10.0.0.2".parse().unwrap();
        let known = Site { gateway: Some("10.0.0.1".parse().unwrap()), local };
        let unknown = Site { gateway: None, local };

        assert!(is_meant(at("10.0.0.1"), known) && !is_meant(at("10.0.0.3"), known));
        assert!(is_meant(at("10.0.0.3"), unknown) && !is_meant(at("5.2.0.1"), unknown));
    }

    proptest! {
        #[test]
        fn no_datagram_panics(mut datagram in "HTTP/1.1 200\r\n(L|location:)?.{0,40}", len in 0_usize..60) {
            datagram.truncate(datagram.floor_char_boundary(len));
            let _ = read(datagram.as_bytes());
        }
    }
}
