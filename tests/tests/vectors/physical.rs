//! Physical addresses (spec 01 §18).

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use zt_protocol::endpoint::Scope;
use zt_protocol::wire::cursor::Reader;
use zt_protocol::wire::inet;

use crate::fields::{bytes, cases, flag, number, text};
use crate::report::Report;

/// inetaddress.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    for case in cases(file) {
        match text(case, "operation") {
            "serialize" => {
                let name = format!("serialize {}", text(case, "address"));
                report.case(&name, || serialized(case));
            }
            "deserialize" => deserialized(case, report),
            other => panic!("unknown operation {other}"),
        }
    }
}

fn serialized(case: &Value) {
    let address = socket_address(text(case, "address"));
    let mut written = Vec::new();

    inet::write(&mut written, address);

    assert_eq!(hex::encode(&written), text(case, "serialized"));
    assert_eq!(inet::read(&mut Reader::new("address", &written)), Ok(address));
    let scope = address.map_or(Scope::None, |address| Scope::of(address.ip()));
    assert_eq!(scope as u64, number(case, "ip_scope"));
}

fn deserialized(case: &Value, report: &mut Report) {
    let input = bytes(case, "input");
    let mut reader = Reader::new("address", &input);
    let read = inet::read(&mut reader);
    let name = format!("deserialize {}", text(case, "input"));

    // The reference does not check that what it skips is there.
    if flag(case, "ok") && number(case, "bytes_consumed") > input.len() as u64 {
        let reason = "an address of a reserved type has to be there to be skipped";
        report.stricter(&name, reason, || assert!(read.is_err()));
        return;
    }
    report.case(&name, || {
        assert_eq!(read.is_ok(), flag(case, "ok"));
        let Ok(address) = read else { return };

        assert_eq!(reader.position() as u64, number(case, "bytes_consumed"));
        assert_eq!(address, socket_address(text(case, "address")));
        assert_eq!(address.is_none(), flag(case, "is_null"));
    });
}

/// Reads the reference's text form `ip/port`; nothing at all is no address.
pub(crate) fn socket_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once('/')?;
    Some(SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port.parse().unwrap()))
}
