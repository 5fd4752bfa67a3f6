//! The node's judgement, in the words of the [oracle](super::oracle).

use std::net::IpAddr;

use zt_protocol::address::{Address, Mac};
use zt_protocol::rules::{
    Decision, Direction, Filter, Grant, Holdings, Party, Passage, Purpose, codec,
};
use zt_protocol::transmit::Frame;

use super::oracle::{Case, Copy, Fate, Holds};

/// Judges a frame by a network's serialized `rules`.
///
/// # Panics
///
/// If there are no such rules, or the node would explain another verdict than it gives.
#[must_use]
pub fn judge(case: &Case, rules: &[u8]) -> (Fate, Vec<Copy>) {
    let list = codec::read_list(rules, 1_024).expect("the rules are well formed");
    let filter = Filter::new(&list, case.unknown_is_true);
    let (local, remote) = (holdings(&case.local), holdings(&case.remote));
    let passage = passage(case, &local, &remote);
    let chance = || {
        let mut drawn = case.chance.iter().copied();
        move || drawn.next().unwrap_or(0)
    };
    let verdict = filter.judge(&passage, &mut chance());
    assert_eq!(filter.explain(&passage, &mut chance()).verdict, verdict);

    let fate = match verdict.decision {
        Decision::Drop => Fate::Dropped,
        Decision::Redirect => Fate::Redirected,
        Decision::Accept => Fate::Accepted,
        Decision::SuperAccept => Fate::SuperAccepted,
    };
    let copies = verdict.copies.iter();
    (fate, copies.map(|copy| (copy.to.to_u64(), copy.len, action(copy.purpose))).collect())
}

fn passage<'a>(case: &'a Case, local: &'a Holdings, remote: &'a Holdings) -> Passage<'a> {
    let (direction, from, to) = if case.inbound {
        (Direction::Inbound, remote, local)
    } else {
        (Direction::Outbound, local, remote)
    };
    Passage {
        direction,
        sender: Party { address: Address::from_u64(case.sender), holdings: from },
        receiver: Party { address: Address::from_u64(case.receiver), holdings: to },
        frame: Frame {
            destination: Mac::from(case.to),
            source: Mac::from(case.from),
            ethertype: case.ethertype,
            payload: &case.frame,
        },
    }
}

fn holdings(holds: &Holds) -> Holdings {
    let grants = holds.capabilities.iter().map(|(&id, rules)| {
        let rules = codec::read_list(rules, 64).expect("the rules are well formed");
        Grant { id, rules }
    });
    let ips = holds.ips.iter().map(|ip| match <[u8; 4]>::try_from(&ip[..]) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&ip[..]).expect("4 or 16 bytes")),
    });
    Holdings::default()
        .with_tags(holds.tags.iter().map(|(&id, &value)| (id, value)))
        .with_grants(grants)
        .with_addresses(ips)
        .with_macs(holds.macs.iter().map(|&mac| Mac::from(mac)))
}

const fn action(purpose: Purpose) -> u8 {
    match purpose {
        Purpose::Tee => 2,
        Purpose::Watch => 3,
        Purpose::Redirect => 4,
    }
}
