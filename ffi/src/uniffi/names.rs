//! How names of the protocol look in Python, Kotlin and Swift: as the text people write.
//!
//! All else those languages see is [`facade`](crate::facade) itself, whose types say so.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use zt_protocol::address::{Address, Mac, MoonId, NetworkId};

use crate::facade::ZtError;

uniffi::custom_type!(Address, String, {
    remote, lower: |address| address.to_string(), try_lift: |text| Ok(parse(&text)?),
});
uniffi::custom_type!(NetworkId, String, {
    remote, lower: |network| network.to_string(), try_lift: |text| Ok(parse(&text)?),
});
uniffi::custom_type!(MoonId, String, {
    remote, lower: |moon| moon.to_string(), try_lift: |text| Ok(parse(&text)?),
});
uniffi::custom_type!(Mac, String, {
    remote, lower: |mac| mac.to_string(), try_lift: |text| Ok(parse_mac(&text)?),
});
uniffi::custom_type!(IpAddr, String, {
    remote, lower: |ip| ip.to_string(), try_lift: |text| Ok(parse(&text)?),
});
uniffi::custom_type!(SocketAddr, String, {
    remote, lower: |endpoint| endpoint.to_string(), try_lift: |text| Ok(parse(&text)?),
});

/// Reads a name; what is wrong with it is the caller's fault.
fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, ZtError> {
    text.trim().parse().map_err(|why| ZtError::InvalidArgument(format!("{text:?} is {why}")))
}

fn parse_mac(text: &str) -> Result<Mac, ZtError> {
    let octets: Vec<_> = text.split(':').map(|octet| u8::from_str_radix(octet, 16)).collect();
    match octets[..] {
        [Ok(a), Ok(b), Ok(c), Ok(d), Ok(e), Ok(f)] => Ok(Mac::from([a, b, c, d, e, f])),
        _ => Err(ZtError::InvalidArgument(format!("{text:?} is no MAC"))),
    }
}
