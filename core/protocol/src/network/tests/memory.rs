//! What is given back and what is refused when memory is short.

use super::*;

/// Has `from` say that it is in these groups.
fn like(host: &mut Host, from: Address, groups: core::ops::Range<u32>) -> Result<(), Rejected> {
    let groups = groups.map(|adi| (NETWORK, MulticastGroup { mac: Mac::BROADCAST, adi }));
    let likes: Vec<_> = groups.collect();
    for body in wire_multicast::write_likes(&likes) {
        host.receive(from, Verb::MulticastLike, &body, |networks, ctx, _, rx| {
            networks.handle_like(ctx, rx, &|_| true)
        })?;
    }
    Ok(())
}

impl Host {
    fn network(&self) -> &Network {
        &self.networks.joined[&NETWORK]
    }

    fn tag_of(&self, member: Address, id: u32) -> ShownCredentials {
        let tag = Tag::issue(&self.controller, NETWORK, member, UNIX, id, 1);
        ShownCredentials { tags: vec![tag], ..ShownCredentials::default() }
    }
}

#[test]
fn nobody_new_is_remembered_while_memory_is_short_and_the_others_go_on() {
    let mut host = Host::on_private();
    let [b, c] = [*host.b.public(), *host.c.public()];
    host.show_certificate(&b, UNIX);
    like(&mut host, b.address(), 0..3).unwrap();
    host.is_full = true;

    host.now = secs(2);
    let memberships = vec![host.certificate(&c, UNIX)];
    let shown = ShownCredentials { memberships, ..ShownCredentials::default() };
    assert_eq!(host.show(c.address(), &shown), [Ok(Credentials::Accepted(false))]);
    assert!(host.out.refused.contains(&Rejected::Full));
    assert!(!host.view().members.contains_key(&c.address()));

    assert!(host.member(b.address()).admitted);
    let tag = host.tag_of(b.address(), 1);
    assert_eq!(host.show(b.address(), &tag), [Ok(Credentials::Accepted(false))]);
    assert_eq!(like(&mut host, b.address(), 0..3), Ok(()));
    assert_eq!(like(&mut host, b.address(), 3..4), Err(Rejected::Full));
    host.now = secs(4);
    host.revoke(host.c.address(), b.address(), UNIX.0 + 1);
    assert!(!host.member(b.address()).admitted, "revocations count whatever the memory");
}

#[test]
fn a_configuration_is_renewed_while_memory_is_short_but_does_not_grow() {
    let mut host = Host::on(PortMode::L3, |_| {});
    host.is_full = true;

    let mut config = host.config();
    config.timestamp = UNIX + Duration::from_secs(1);
    config.name = "moon".to_owned();
    assert_eq!(host.configure(&config), Ok(()));
    config.timestamp = UNIX + Duration::from_secs(2);
    config.rules = vec![Rule::from(Kind::Ethertype(1)); 1_000];
    config.name = "sun".to_owned();
    let tags =
        (0..128).map(|id| Tag::issue(&host.controller, NETWORK, host.me.address(), UNIX, id, 1));
    config.tags = tags.collect();
    assert_eq!(host.configure(&config), Err(Rejected::Full));
    assert_eq!(host.networks.statuses()[0].name, "moon");

    host.is_full = false;
    assert_eq!(host.configure(&config), Ok(()));
    assert!(host.network().config_bytes > 50_000);
}

#[test]
fn no_next_hop_is_looked_for_while_memory_is_short() {
    let mut host = Host::on(PortMode::L3, |_| {});
    host.is_full = true;
    let packet = [0x45; 100];
    let resolve = |host: &mut Host, hop: &str| {
        host.call(|networks, ctx, _| networks.resolve(ctx, NETWORK, ip(hop), &packet))
    };

    assert_eq!(resolve(&mut host, "10.147.17.9"), Err(Rejected::Full));
    host.is_full = false;
    assert_eq!(resolve(&mut host, "10.147.17.9"), Ok(()));
}

#[test]
fn members_not_heard_for_long_are_given_back_but_not_what_bars_them() {
    let mut host = Host::on_private();
    let [b, c] = [*host.b.public(), *host.c.public()];
    host.show_certificate(&b, UNIX);
    host.show_certificate(&c, UNIX);
    let give_back = |host: &mut Host| {
        host.call(|networks, ctx, _| networks.give_back_members(ctx, usize::MAX));
    };

    host.now = secs(299);
    give_back(&mut host);
    assert_eq!(host.view().members.len(), 2);
    host.revoke(host.controller.address(), c.address(), UNIX.0 + 1);
    host.now = secs(300);
    give_back(&mut host);

    assert!(!host.view().members.contains_key(&b.address()));
    assert!(host.member(c.address()).revoked);
}

#[test]
fn what_members_hold_is_counted_wherever_it_changes() {
    let mut host = Host::on_private();
    let b = *host.b.public();
    let counted = |host: &Host| {
        let members = &host.network().members;
        (members.held(), members.iter().map(|(_, member)| member.footprint()).sum::<usize>())
    };
    host.show_certificate(&b, UNIX);
    for id in 0..5 {
        host.now = host.now + Duration::from_secs(2);
        let tag = host.tag_of(b.address(), id);
        assert_eq!(host.show(b.address(), &tag), [Ok(Credentials::Accepted(true))]);
        let (noted, held) = counted(&host);
        assert!(held > 500 && noted == held, "{noted} {held}");
    }
    host.now = host.now + Duration::from_secs(2);
    host.revoke_one(host.controller.address(), b.address(), (CredentialKind::Tag, 1), UNIX.0 + 1);
    assert_eq!(counted(&host).0, counted(&host).1);

    host.pass(secs(90));
    assert_eq!(counted(&host).0, counted(&host).1);
    host.now = secs(400);
    host.call(|networks, ctx, _| networks.give_back_members(ctx, usize::MAX));
    assert_eq!(counted(&host).0, counted(&host).1);
}

#[test]
fn groups_others_are_in_are_given_back_unless_they_were_named_lately() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let [b, c] = [host.b.address(), host.c.address()];
    like(&mut host, b, 0..500).unwrap();
    host.now = secs(300);
    like(&mut host, c, 0..3).unwrap();
    let before = host.networks.footprint(&host.tables);

    host.call(|networks, ctx, _| networks.give_back_likes(ctx.now, 1));

    assert!(host.networks.footprint(&host.tables) < before - 10_000);
    let group = |adi| MulticastGroup { mac: Mac::BROADCAST, adi };
    assert!((0..3).all(|adi| host.network().groups.contains(group(adi), c)));
    assert!(!host.network().groups.contains(group(0), b));
}
