//! Which credentials rules can count on, and what they do to multicast.

use super::*;
use crate::credential::ownership::Thing;
use crate::credential::{Capability, Ownership};
use crate::rules::Forward;
use crate::wire::frame::ExtFrame;

impl Host {
    fn show_tag(&mut self, timestamp: UnixMillis, value: u32) {
        let b = self.b.address();
        let tags = vec![Tag::issue(&self.controller, NETWORK, b, timestamp, 5, value)];
        let shown = ShownCredentials { tags, ..ShownCredentials::default() };
        assert_eq!(self.show(b, &shown), [Ok(Credentials::Accepted(true))]);
    }

    /// Returns the value of the tag of b that rules see.
    fn tag(&self) -> Option<u32> {
        self.member(self.b.address()).holdings?.tag(5)
    }
}

#[test]
fn a_tag_counts_once_it_is_shown_and_until_it_is_revoked() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let (controller, b) = (host.controller.address(), host.b.address());

    host.show_tag(UNIX, 7);
    assert_eq!(host.tag(), Some(7));
    host.now = secs(2);
    host.revoke_one(controller, b, (CredentialKind::Tag, 5), UNIX.0);
    assert_eq!(host.tag(), None);
    host.now = secs(4);
    host.show_tag(UNIX + Duration::from_millis(1), 8);
    assert_eq!(host.tag(), Some(8));
}

/// Both times are the controller's.
#[test]
fn a_tag_counts_while_it_is_about_as_old_as_the_configuration() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let mut config = host.config();
    host.show_tag(UNIX + Duration::from_millis(WINDOW_MS + 1), 7);
    assert_eq!(host.tag(), None);

    config.timestamp = UNIX + Duration::from_millis(1);
    host.configure(&config).unwrap();
    assert_eq!(host.tag(), Some(7));
    config.timestamp = UNIX + Duration::from_millis(2 * WINDOW_MS + 1);
    host.configure(&config).unwrap();
    assert_eq!(host.tag(), Some(7));
    config.timestamp = UNIX + Duration::from_millis(2 * WINDOW_MS + 2);
    host.configure(&config).unwrap();
    assert_eq!(host.tag(), None);
}

#[test]
fn what_this_node_holds_is_what_its_configuration_says() {
    let (mac, address) = (Mac::from([2, 0, 0, 0, 0, 9]), ip("10.147.17.5"));
    let host = Host::on(PortMode::L3, |config| {
        let (controller, me) = (secret("controller"), config.issued_to);
        let things = vec![Thing::Ip(address), Thing::Mac(mac)];
        let rules = vec![Rule::accept()];
        config.tags = vec![Tag::issue(&controller, NETWORK, me, UNIX, 5, 7)];
        config.capabilities = vec![Capability::issue(&controller, NETWORK, me, UNIX, 3, rules)];
        config.ownerships = vec![Ownership::issue(&controller, NETWORK, me, UNIX, 1, things)];
    });

    let own = &host.view().own;

    assert_eq!(own.tag(5), Some(7));
    assert_eq!(own.grants().len(), 1);
    assert!(own.owns_ip(address));
    assert!(own.owns_mac(mac));
}

#[test]
fn computed_addresses_are_owned_where_neighbours_are_not_asked_for_them() {
    let me = secret("a").address();
    let [ours, theirs] =
        [me, secret("b").address()].map(|node| IpAddr::V6(NETWORK.six_plane(node)));
    let owned = |flags, own| {
        let host = Host::on(PortMode::L3, |config| {
            config.flags = flags;
            config.addresses.push((own, 40));
        });
        host.view().strangers.owns_ip(theirs)
    };

    assert!(owned(NetworkConfig::NDP_EMULATION, ours));
    assert!(!owned(0, ours));
    assert!(!owned(NetworkConfig::NDP_EMULATION, theirs));
}

/// b and c are in the group, but the rules keep the frame from b. d sees it all, once.
#[test]
fn a_multicast_is_copied_once_and_sent_to_those_the_rules_let_have_it() {
    let mut host = Host::on(PortMode::L2, |config| {
        let d = Forward { target: 0x0d, flags: 0, len: 0 };
        config.rules = vec![
            Kind::DestinationAddress(secret("b").address()).into(),
            Kind::Drop.into(),
            Kind::Tee(d).into(),
            Rule::accept(),
        ];
    });
    let members = [host.b.address(), host.c.address()];
    let likes = wire_multicast::write_likes(&[(NETWORK, MulticastGroup::BROADCAST)]);
    let likes = likes.into_iter().next().unwrap();
    for member in members {
        host.receive(member, Verb::MulticastLike, &likes, |networks, ctx, _, rx| {
            networks.handle_like(ctx, rx, &|_| false)
        })
        .unwrap();
    }
    host.settle();

    let frame = Frame {
        destination: Mac::BROADCAST,
        source: Mac::of_member(host.me.address(), NETWORK),
        ethertype: ETHERTYPE_IPV4,
        payload: &[0x45; 28],
    };
    host.call(|networks, ctx, _| networks.send_multicast(ctx, NETWORK, frame)).unwrap();

    let copy = host.out.packets[0].clone();
    assert_eq!(ExtFrame::read(&copy.body).unwrap().payload, frame.payload);
    let mut sent = host.sent();
    sent.retain(|(_, verb)| !matches!(verb, Verb::MulticastGather | Verb::NetworkCredentials));
    assert_eq!(
        sent,
        [(Address::from_u64(0x0d), Verb::ExtFrame), (host.c.address(), Verb::MulticastFrame)]
    );
}

#[test]
fn a_multicast_that_rules_forbid_is_not_delivered() {
    let mut host = Host::on(PortMode::L2, |config| {
        config.rules =
            vec![Kind::Ethertype(ETHERTYPE_IPV4).into(), Kind::Drop.into(), Rule::accept()];
    });
    let b = host.b.address();
    let receive = |host: &mut Host, ethertype| {
        let message = MulticastFrame {
            network: NETWORK,
            membership: None,
            gather_limit: 0,
            source: None,
            replicate: false,
            group: MulticastGroup::BROADCAST,
            ethertype,
            payload: &[0x45; 28],
        };
        host.receive(b, Verb::MulticastFrame, &message.write(), |networks, ctx, known, rx| {
            networks.handle_multicast_frame(ctx, known, rx)
        })
    };

    assert_eq!(receive(&mut host, ETHERTYPE_IPV4), Err(Rejected::Filtered));
    assert_eq!(host.out.deliveries.len(), 0);
    assert_eq!(receive(&mut host, ETHERTYPE_ARP), Ok(()));
    assert_eq!(host.out.deliveries.len(), 1);
}
