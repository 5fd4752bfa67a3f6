//! Which UDP ports a node uses, where it is not told (spec 02 §9.1).

use zt_protocol::address::Address;

use crate::limits::PORTS_TRIED_MAX;

/// The ports to choose from.
const FIRST: u16 = 20_000;
const COUNT: u16 = 45_500;

/// Returns the port of a node's own choice, the same at every start: peers and translators that
/// remember the node remember it there.
pub(crate) fn derived(address: Address) -> u16 {
    at(address.to_u64())
}

/// Returns any port.
pub(crate) fn random() -> u16 {
    let mut bytes = [0; 8];
    // Without random numbers the node does not start; later on, any port will do.
    let _ = getrandom::fill(&mut bytes);
    at(u64::from_le_bytes(bytes))
}

/// Returns `start` and those after it, to be tried in turn until one is free.
pub(super) fn from(start: u16) -> impl Iterator<Item = u16> {
    let offset = u64::from(start.saturating_sub(FIRST));
    (0..PORTS_TRIED_MAX).map(move |step| at(offset + u64::from(step)))
}

fn at(number: u64) -> u16 {
    let offset = u16::try_from(number % u64::from(COUNT)).expect("it is below COUNT");
    FIRST + offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_follows_from_the_address() {
        assert_eq!(derived(Address::from_u64(45_500)), 20_000);
        assert_eq!(derived(Address::from_u64(45_499)), 65_499);
    }

    #[test]
    fn ports_after_the_last_are_the_first_again() {
        let ports: Vec<_> = from(65_498).take(3).collect();

        assert_eq!(ports, [65_498, 65_499, 20_000]);
        assert_eq!(from(20_000).count(), usize::from(PORTS_TRIED_MAX));
    }
}
