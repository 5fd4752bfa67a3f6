//! Many nodes that want little.

use zt_tests::memory;
use zt_tests::sim::World;
use zt_tests::sim::durations::{millis, minutes};

use super::crowd;

/// How many peers the root has whose memory is counted.
const IDLE_PEERS: usize = 1_000;

/// What each may take, in bytes: a hundred thousand of them shall fit into 200 MB.
const IDLE_PEER_MAX: isize = 2_000;

/// Each is on a network, keeps its path open, and says each minute which groups it is in.
#[test]
fn an_idle_peer_takes_its_root_at_most_two_kilobytes() {
    let mut world = World::seeded(610);
    world.latency(millis(10)..=millis(40));
    let root = world.root();
    let controller = world.controller();
    let members = world.crowd(IDLE_PEERS);
    let network = crowd::network(&mut world, controller);
    for &member in &members {
        world.allow(network, member);
        world.acquaint(member, root);
        world.acquaint(member, controller);
    }
    world.join(network, &members);
    world.run_for(minutes(4));
    assert!(world.are_up(network, &members));
    assert!(members.iter().all(|&member| world.path(root, member).is_some()));

    let before = memory::held();
    world.switch_off(root);
    let each = (before - memory::held()) / IDLE_PEERS.cast_signed();

    assert!(each <= IDLE_PEER_MAX, "a peer takes {each} bytes");
}
