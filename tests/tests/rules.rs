//! The node's judgement of frames against a second one that shares no code with it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;

use proptest::prelude::*;
use zt_protocol::address::{Address, Mac};
use zt_protocol::rules::{
    Decision, Direction, Filter, Grant, Holdings, Party, Passage, Purpose, codec,
};
use zt_protocol::transmit::Frame;
use zt_tests::rules::oracle::{self, Case, Fate, Holds};
use zt_tests::rules::random;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_rules_mean_for_any_frame_what_the_specification_says(
        rules in random::rules(20),
        case in random::case(),
    ) {
        let list = codec::read_list(&rules, 1_024).unwrap();
        let filter = Filter::new(&list, case.unknown_is_true);
        let (local, remote) = (holdings(&case.local), holdings(&case.remote));
        let passage = passage(&case, &local, &remote);
        let chance = || {
            let mut drawn = case.chance.iter().copied();
            move || drawn.next().unwrap_or(0)
        };

        let verdict = filter.judge(&passage, &mut chance());
        let explanation = filter.explain(&passage, &mut chance());

        let (fate, copies) = oracle::judge(&case, &rules);
        let decision = match fate {
            Fate::Dropped => Decision::Drop,
            Fate::Redirected => Decision::Redirect,
            Fate::Accepted => Decision::Accept,
            Fate::SuperAccepted => Decision::SuperAccept,
        };
        let copied: Vec<_> = verdict
            .copies
            .iter()
            .map(|copy| (copy.to.to_u64(), copy.len, action(copy.purpose)))
            .collect();
        prop_assert_eq!(verdict.decision, decision);
        prop_assert_eq!(copied, copies);
        prop_assert_eq!(explanation.verdict, verdict);
    }
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
        let rules = codec::read_list(rules, 64).unwrap();
        Grant { id, rules }
    });
    let ips = holds.ips.iter().map(|ip| match <[u8; 4]>::try_from(&ip[..]) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&ip[..]).unwrap()),
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
