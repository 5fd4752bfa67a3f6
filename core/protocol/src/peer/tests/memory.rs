//! What peers take, and who is forgotten when memory is short.

use std::collections::BTreeSet;

use super::*;
use crate::status::NamedBy;

/// Returns an identity nobody validates.
fn somebody(number: u64) -> Identity {
    let mut keys = *secret("B").public().public_key();
    keys[..8].copy_from_slice(&number.to_be_bytes());
    Identity::from_parts(Address::from_u64(0x11_0000_0000 + number), keys)
}

impl Host {
    fn meet(&mut self, number: u64) -> Address {
        let identity = somebody(number);
        self.with(|peers, ctx, _, _| peers.learn(ctx, &identity)).unwrap();
        identity.address()
    }

    fn give_back(&mut self, kept: &[Address], surplus: usize) {
        let kept = BTreeSet::from_iter(kept.iter().copied());
        self.with(|peers, ctx, _, _| peers.give_back_silent(ctx, &kept, surplus));
    }
}

#[test]
fn what_peers_hold_is_counted_wherever_it_changes() {
    let mut host = Host::leaf();
    host.meet_bob();
    for number in 0..20 {
        let at = path(&format!("5.4.0.{number}:9993"));
        host.hear_ok(BOB, at, Verb::Hello, 50);
        host.with(|peers, ctx, roots, _| peers.follow(ctx, roots, BOB, at, NamedBy::Root));
        let other = host.meet(number);
        host.hear(other, path(&format!("5.5.0.{number}:9993")), 0, Verb::Echo);
    }

    let counted = |host: &Host| {
        let held = |peer: &Peer| {
            peer.paths.footprint() + peer.leads.footprint() + usize::from(peer.bond.is_some())
        };
        (host.peers.held, host.peers.peers.values().map(|peer| held(peer)).sum::<usize>())
    };
    let (noted, held) = counted(&host);
    assert!(held > 1_000);
    assert_eq!(noted, held);
    host.run_until(secs(700));
    host.give_back(&[], usize::MAX);
    assert_eq!(counted(&host).0, counted(&host).1);
}

#[test]
fn those_silent_longest_are_forgotten_first_and_saved() {
    let mut host = Host::leaf();
    let first = host.meet(1);
    host.run_until(secs(1));
    let second = host.meet(2);
    host.run_until(secs(62));
    let late = host.meet(3);
    host.out.events.clear();

    host.give_back(&[], 1);
    let is_known = |host: &Host, peer| host.peers.peers.contains_key(&peer);
    assert!(!is_known(&host, first) && is_known(&host, second));
    let saved = host.out.events.iter().any(|event| {
        matches!(event, Event::Store { key: StoreKey::Peer(peer), value: Some(_) } if *peer == first)
    });
    assert!(saved);

    host.give_back(&[second], usize::MAX);
    assert!(is_known(&host, second));
    host.give_back(&[], usize::MAX);
    assert!(!is_known(&host, second));
    assert!(is_known(&host, late) && is_known(&host, NEAR) && is_known(&host, FAR));
}

#[test]
fn nobody_but_roots_becomes_a_peer_while_memory_is_short() {
    let mut host = Host::leaf();
    host.is_full = true;

    let bob = *secret("B").public();
    assert_eq!(host.with(|peers, ctx, _, _| peers.learn(ctx, &bob)), Err(Rejected::Full));
    host.with(|peers, ctx, roots, _| peers.learn_roots(ctx, roots));
    assert!(host.peers.identity(NEAR).is_some());
    host.is_full = false;
    host.meet_bob();
}

#[test]
fn a_peer_gets_few_further_paths_while_memory_is_short() {
    let mut host = Host::leaf();
    host.meet_bob();
    host.is_full = true;

    for number in 0..20 {
        host.hear_ok(BOB, path(&format!("5.4.0.{number}:9993")), Verb::Hello, 50);
    }

    assert_eq!(host.peers.peers[&BOB].paths.iter().count(), PATHS_PER_PEER_FULL);
    assert!(host.tables.peer(BOB).unwrap().path.is_some());
}

#[test]
fn keys_of_idle_peers_are_folded() {
    let mut host = Host::leaf();
    host.meet_bob();
    let keys = |host: &Host| Arc::clone(&host.tables.peer(BOB).unwrap().keys);
    let mut packet = [0; 60];
    packet[18] = 3 << 3;
    for _ in 0..100 {
        let _ = crate::suite::open(&keys(&host), &mut packet.clone());
    }
    assert!(keys(&host).is_expanded());

    host.with(|peers, ctx, _, _| peers.fold_idle(ctx));
    assert!(keys(&host).is_expanded(), "bob was heard just now");
    host.now = secs(60);
    host.with(|peers, ctx, _, _| peers.fold_idle(ctx));
    assert!(!keys(&host).is_expanded());
}
