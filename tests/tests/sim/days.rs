//! What is left of days.

use zt_tests::memory;
use zt_tests::sim::durations::{millis, minutes, secs};
use zt_tests::sim::{Access, World};

/// How many different visitors there are, and how long each stays.
const VISITORS: usize = 24;
const STAY: u64 = 20;

/// Returns how many bytes the node of a member holds after `days` in which visitors have come and
/// gone, shown it credentials, joined groups and asked for addresses nobody has.
fn memory_after(days: u64) -> isize {
    let mut world = World::seeded(740);
    world.latency(millis(10)..=millis(40));
    let root = world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Private);
    let bob = world.member();
    let visitors = world.crowd(VISITORS);
    world.allow(network, bob);
    for &visitor in &visitors {
        world.allow(network, visitor);
        for known in [root, controller, bob] {
            world.acquaint(visitor, known);
        }
    }
    world.join(network, &[bob]);
    for &visitor in &visitors {
        world.switch_off(visitor);
    }
    world.run_until(secs(15), |world| world.are_up(network, &[bob])).unwrap();
    for visit in 0..days * 24 * 60 / STAY {
        let visitor = visitors[visit as usize % VISITORS];
        world.switch_on(visitor);
        world.join(network, &[visitor]);
        world.run_until(secs(30), |world| world.are_up(network, &[visitor])).unwrap();
        for last in 0..10 {
            world.ping(visitor, bob);
            world.ping(bob, visitor);
            let absent = [10, 147, 1, 200 + last].into();
            world.ping_address(bob, network, absent);
            world.run_for(secs(5));
        }
        assert!(world.pongs(visitor) > 0);
        world.run_for(minutes(STAY) - secs(60));
        world.switch_off(visitor);
        world.run_for(secs(5));
    }
    let before = memory::held();
    world.switch_off(bob);
    before - memory::held()
}

/// The visitors come again and again, with new credentials; what they showed, joined and asked for
/// the last time is gone. Two days are long enough for what a node keeps on purpose to fill up.
#[test]
fn a_member_is_no_larger_after_three_days_than_after_two() {
    let (two, three) = (memory_after(2), memory_after(3));

    assert!(three <= two + two / 50, "{two} bytes after two days, {three} after three");
}
