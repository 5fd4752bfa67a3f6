//! What a node remembers of its peers (spec 02 §12).

use serde_json::Value;
use zt_protocol::address::Address;
use zt_protocol::event::StoreKey;
use zt_protocol::node::Command;
use zt_tests::vector_node::{VectorNode, verbs};

use crate::bench::{A_AT, address, endpoint, node, root};
use crate::fields::{bytes, cases, name};
use crate::report::Report;

/// peer_cache.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || {
            let record = bytes(case, "hex");
            let of = Address::from(<[u8; 5]>::try_from(&record[1..6]).unwrap());
            loaded(file, of, &record);
            if of == address(file, "A") {
                assert_eq!(hex::encode(written(file)), hex::encode(&record));
            }
        });
    }
}

/// The peer of the record is known afterwards, and greeted wherever it once was.
fn loaded(file: &Value, of: Address, record: &[u8]) {
    let mut node = node(file, "R");
    assert!(node.peer(of).is_none());

    let sent = node.command(Command::LoadPeer(record.to_vec())).unwrap();

    assert_eq!(node.peer(of).unwrap().version, None);
    // Identity, version and count take 82 bytes, an IPv4 address and port take 7.
    let endpoints = (record.len() - 82) / 7;
    assert_eq!(sent.len(), endpoints);
    for reply in sent {
        assert_eq!(reply.path.remote, endpoint(A_AT));
        assert_eq!(reply.packet.unwrap().verb, verbs::HELLO);
    }
}

/// Returns the record of A that R writes when it is told to save what it knows.
fn written(file: &Value) -> Vec<u8> {
    let mut root: VectorNode = root(file);
    root.command(Command::Flush).unwrap();
    root.stored.remove(&StoreKey::Peer(address(file, "A"))).unwrap()
}
