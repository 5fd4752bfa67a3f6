//! What judging a frame costs.
//!
//! Budgets are for one core of an x86-64 server.

use std::hint::black_box;
use std::net::Ipv4Addr;

use divan::Bencher;
use zt_protocol::address::{Address, Mac};
use zt_protocol::rules::{
    Direction, Filter, Holdings, Kind, Party, Passage, Prefix, Range, Rule, Tagged, Verdict,
};
use zt_protocol::transmit::Frame;

fn main() {
    divan::main();
}

/// A TCP segment of 64 bytes from 10.147.17.5 to port 22 of 10.147.17.6.
const SEGMENT: [u8; 64] = {
    let mut packet = [0; 64];
    let header = [69, 0, 0, 64, 0, 1, 0, 0, 64, 6, 0, 0, 10, 147, 17, 5, 10, 147, 17, 6];
    let mut at = 0;
    while at < header.len() {
        packet[at] = header[at];
        at += 1;
    }
    packet[23] = 22;
    packet[32] = 0x50;
    packet[33] = 0x10;
    packet
};

/// Judges the segment on its way out or in, between two nodes with the same eight tags.
fn bench(bencher: Bencher<'_, '_>, direction: Direction, filter: &Filter) {
    let holdings = Holdings::default()
        .with_tags((0..8).map(|id| (id, 7)))
        .with_addresses([Ipv4Addr::new(10, 147, 17, 5).into()]);
    let party = |number| Party { address: Address::from_u64(number), holdings: &holdings };
    let frame = Frame {
        destination: Mac::from([2, 0, 0, 0, 0, 1]),
        source: Mac::from([2, 0, 0, 0, 0, 2]),
        ethertype: 0x0800,
        payload: &SEGMENT,
    };
    let passage = Passage { direction, sender: party(1), receiver: party(2), frame };

    bencher.bench_local(|| -> Verdict { filter.judge(black_box(&passage), &mut || 0) });
}

/// Returns rules that drop what one of `matches` is not true of, and accept in the end.
fn unless(matches: Vec<Kind>) -> Vec<Rule> {
    let drops = matches
        .into_iter()
        .flat_map(|kind| [Rule { not: true, or: false, kind }, Rule::from(Kind::Drop)]);
    drops.chain([Rule::accept()]).collect()
}

/// Judges a frame of a network that accepts everything.
///
/// Budget: 100 ns.
#[divan::bench]
fn accept_all(bencher: Bencher<'_, '_>) {
    bench(bencher, Direction::Outbound, &Filter::new(&[Rule::accept()], false));
}

/// Judges a frame by the rules controllers usually begin with: IPv4, ARP and IPv6 may pass.
///
/// Budget: 1 µs.
#[divan::bench]
fn usual_rules(bencher: Bencher<'_, '_>) {
    let not = |ethertype| Rule { not: true, or: false, kind: Kind::Ethertype(ethertype) };
    let rules = [not(0x0800), not(0x0806), not(0x86dd), Kind::Drop.into(), Rule::accept()];
    bench(bencher, Direction::Inbound, &Filter::new(&rules, false));
}

/// Judges a frame by 33 rules all of which are asked: addresses, ports, flags and tags.
///
/// Budget: 1 µs.
#[divan::bench]
fn many_rules(bencher: Bencher<'_, '_>) {
    let source = Prefix { address: Ipv4Addr::new(10, 147, 17, 0), bits: 24 };
    let mut matches = Vec::new();
    for id in 0..4 {
        matches.push(Kind::SourceIpv4(source));
        matches.push(Kind::DestinationPort(Range { start: 22, end: 22 }));
        matches.push(Kind::TagsEqual(Tagged { id, value: 7 }));
        matches.push(Kind::Characteristics(1 << 60));
    }
    let filter = Filter::new(&unless(matches), false);
    bench(bencher, Direction::Outbound, &filter);
}

/// Judges a frame by 32 matches in a row, all true.
///
/// Budget: 1 µs.
#[divan::bench]
fn one_long_set(bencher: Bencher<'_, '_>) {
    let mut rules = vec![Rule::from(Kind::Ethertype(0x0800)); 30];
    rules.extend([Kind::IpProtocol(6).into(), Rule::accept()]);
    bench(bencher, Direction::Inbound, &Filter::new(&rules, false));
}
