//! Who is admitted, and what is shown to whom.

use super::*;
use crate::limits::MEMBERS_MAX;

#[test]
fn a_member_is_admitted_by_its_certificate_and_barred_by_a_revocation() {
    let mut host = Host::on_private();
    let (controller, b) = (host.controller.address(), *host.b.public());
    assert!(!host.view().admits(b.address()));

    host.show_certificate(&b, UNIX);
    assert!(host.view().admits(b.address()));
    host.revoke(controller, b.address(), UNIX.0);
    assert!(!host.view().admits(b.address()));

    host.now = secs(2);
    host.show_certificate(&b, UNIX + Duration::from_millis(1));
    assert!(host.view().admits(b.address()));
}

/// Whoever kept an older certificate, or an older revocation, brings neither back into force.
#[test]
fn certificates_and_revocations_never_go_back() {
    let mut host = Host::on_private();
    let (controller, b) = (host.controller.address(), *host.b.public());
    let later = UNIX + Duration::from_secs(60);
    host.show_certificate(&b, later);
    let show_old = |host: &mut Host, at| {
        host.now = secs(at);
        let memberships = vec![host.certificate(host.b.public(), UNIX)];
        let shown = ShownCredentials { memberships, ..ShownCredentials::default() };
        host.show(host.b.address(), &shown)
    };

    assert_eq!(show_old(&mut host, 2), [Ok(Credentials::Accepted(false))]);
    assert!(host.view().admits(b.address()), "the later one counts");
    host.now = secs(4);
    host.revoke(controller, b.address(), later.0);
    assert_eq!(show_old(&mut host, 6), [Ok(Credentials::Accepted(false))]);
    host.now = secs(8);
    host.revoke(controller, b.address(), UNIX.0);
    host.now = secs(10);
    let memberships = vec![host.certificate(&b, later)];
    host.show(b.address(), &ShownCredentials { memberships, ..ShownCredentials::default() });
    assert!(!host.view().admits(b.address()), "the earlier revocation lifted the later one");
}

/// Whoever fills a member's memory could otherwise have it admit who was barred meanwhile.
#[test]
fn a_revocation_counts_although_memory_is_short() {
    let mut host = Host::on_private();
    let (controller, b, c) = (host.controller.address(), *host.b.public(), *host.c.public());
    host.show_certificate(&c, UNIX);

    host.is_full = true;
    host.now = secs(2);
    host.revoke(controller, b.address(), UNIX.0);
    host.is_full = false;
    host.now = secs(4);
    let memberships = vec![host.certificate(&b, UNIX)];
    host.show(b.address(), &ShownCredentials { memberships, ..ShownCredentials::default() });

    assert!(!host.view().admits(b.address()));
    assert!(!host.view().admits(c.address()), "who was there has made room");
    host.now = secs(6);
    host.show_certificate(&c, UNIX);
    assert!(host.view().admits(c.address()), "and comes back");
}

#[test]
fn a_revocation_is_passed_on_once_and_not_to_where_it_came_from() {
    let mut host = Host::on_private();
    let (controller, b, c) = (host.controller.address(), *host.b.public(), *host.c.public());
    host.show_certificate(&b, UNIX);
    host.show_certificate(&c, UNIX);

    host.revoke(controller, b.address(), UNIX.0);
    let told = host.sent();
    assert_eq!(
        told,
        [c.address(), b.address()].map(|to| (to, Verb::NetworkCredentials)),
        "by ascending address"
    );
    host.now = secs(2);
    host.revoke(c.address(), b.address(), UNIX.0);
    assert_eq!(host.sent(), []);
    host.now = secs(4);
    host.revoke(c.address(), b.address(), UNIX.0 + 1);
    assert_eq!(host.sent(), [(b.address(), Verb::NetworkCredentials)]);
}

#[test]
fn who_is_admitted_follows_from_our_own_certificate() {
    let mut host = Host::on_private();
    let b = *host.b.public();
    host.show_certificate(&b, UNIX);

    let mut config = host.config();
    config.public = false;
    config.timestamp = UNIX + Duration::from_millis(WINDOW_MS + 1);
    config.membership = Some(host.certificate(host.me.public(), config.timestamp));
    host.configure(&config).unwrap();

    assert!(!host.view().admits(b.address()));
}

#[test]
fn a_member_that_is_not_known_yet_is_admitted_when_it_is() {
    let mut host = Host::on_private();
    let (b, c) = (*host.b.public(), host.c.address());
    host.known.0.remove(&b.address());
    let memberships = vec![host.certificate(&b, UNIX)];
    let shown = ShownCredentials { memberships, ..ShownCredentials::default() };
    assert_eq!(host.show(c, &shown), [Ok(Credentials::Accepted(true))]);
    assert!(!host.view().admits(b.address()));

    host.known.0.insert(b.address(), b);
    host.pass(secs(5));

    assert!(host.view().admits(b.address()));
}

#[test]
fn credentials_are_taken_once_a_second_and_again_when_their_signer_is_known() {
    let mut host = Host::on_private();
    let b = *host.b.public();
    let controller = *host.controller.public();
    host.known.0.remove(&controller.address());
    let memberships = vec![host.certificate(&b, UNIX)];
    let body = &ShownCredentials { memberships, ..ShownCredentials::default() }.write()[0];
    let show = |host: &mut Host, id: u64| {
        host.packets = id - 1;
        host.receive(b.address(), Verb::NetworkCredentials, body, |networks, ctx, known, rx| {
            networks.handle_credentials(ctx, known, rx)
        })
    };

    let needs = Ok(Credentials::NeedIdentity(controller.address()));
    assert_eq!(show(&mut host, 70), needs);
    host.known.0.insert(controller.address(), controller);
    assert_eq!(show(&mut host, 71), Err(Rejected::RateLimited));
    assert_eq!(show(&mut host, 70), Ok(Credentials::Accepted(true)));
    assert!(host.view().admits(b.address()));
}

#[test]
fn a_forged_credential_is_nothing_and_what_follows_it_counts() {
    let mut host = Host::on_private();
    let b = *host.b.public();
    let forger = secret("c");
    let forged = Membership::issue(&forger, NETWORK, &b, UNIX, WINDOW_MS);
    let tag = Tag::issue(&host.controller, NETWORK, b.address(), UNIX, 5, 7);
    let shown = ShownCredentials {
        memberships: vec![forged],
        tags: vec![tag],
        ..ShownCredentials::default()
    };

    assert_eq!(host.show(b.address(), &shown), [Ok(Credentials::Accepted(true))]);

    assert!(!host.view().admits(b.address()));
    assert!(host.view().members.contains_key(&b.address()));
}

#[test]
fn our_credentials_are_shown_before_the_first_frame_and_after_each_renewal() {
    let mut host = Host::on_private();
    let b = host.b.address();
    let push = |host: &mut Host, at| {
        host.now = at;
        let due = host.view().members.get(&b).is_none_or(|member| member.push_due <= at);
        host.call(|networks, ctx, _| networks.push_credentials(ctx, NETWORK, b));
        let sent = host.sent().len();
        assert_eq!(sent > 0, due, "the data plane knows");
        sent
    };

    assert_eq!(push(&mut host, secs(0)), 1);
    assert_eq!(push(&mut host, secs(499)), 0);
    assert_eq!(push(&mut host, secs(500)), 1);
    let mut config = host.networks.config(NETWORK).cloned().unwrap();
    config.revision = 5;
    host.configure(&config).unwrap();
    host.out = Outbox::default();
    assert_eq!(push(&mut host, secs(501)), 1);
}

#[test]
fn whoever_asks_for_our_credentials_gets_them_once_a_second() {
    let mut host = Host::on_private();
    let b = host.b.address();
    let ask = |host: &mut Host, millis: u64| {
        host.now = Instant::from_millis(1_000_000 + millis);
        host.error(b, Verb::Frame, ErrorCode::NeedMembershipCertificate).unwrap();
        host.sent().len()
    };

    assert_eq!(ask(&mut host, 0), 1);
    assert_eq!(ask(&mut host, 1_000), 0);
    assert_eq!(ask(&mut host, 1_001), 1);
}

/// They may have been lost, or wait where it is not known yet who has sent them.
#[test]
fn whoever_asks_for_what_it_was_shown_a_moment_ago_is_shown_it_again_once() {
    let mut host = Host::on_private();
    let b = host.b.address();
    host.call(|networks, ctx, _| networks.push_credentials(ctx, NETWORK, b));
    assert_eq!(host.sent(), [(b, Verb::NetworkCredentials)]);

    host.now = host.now + Duration::from_millis(20);
    host.error(b, Verb::MulticastFrame, ErrorCode::NeedMembershipCertificate).unwrap();
    assert_eq!(host.sent(), [(b, Verb::NetworkCredentials)]);

    host.now = host.now + Duration::from_millis(20);
    host.error(b, Verb::MulticastFrame, ErrorCode::NeedMembershipCertificate).unwrap();
    assert_eq!(host.sent(), []);
}

#[test]
fn a_member_of_a_public_network_has_nothing_to_show() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let b = host.b.address();

    host.call(|networks, ctx, _| networks.push_credentials(ctx, NETWORK, b));
    host.error(b, Verb::Frame, ErrorCode::NeedMembershipCertificate).unwrap();

    assert_eq!(host.sent(), []);
    assert!(host.member(b).push_due > host.now);
}

/// A receiver would ignore the second if it came within a second.
#[test]
fn credentials_that_take_several_packets_keep_their_distance() {
    let mut host = Host::on_private();
    let b = host.b.address();
    let mut config = host.networks.config(NETWORK).cloned().unwrap();
    let me = host.me.address();
    config.tags =
        (0..128).map(|id| Tag::issue(&host.controller, NETWORK, me, UNIX, id, 0)).collect();
    host.configure(&config).unwrap();
    host.settle();

    host.call(|networks, ctx, _| networks.push_credentials(ctx, NETWORK, b));
    assert_eq!(host.sent(), [(b, Verb::NetworkCredentials)]);
    host.pass(Instant::from_millis(1_001_000));
    assert_eq!(host.sent(), []);
    host.pass(Instant::from_millis(1_001_200));
    assert_eq!(host.sent(), [(b, Verb::NetworkCredentials)]);
}

#[test]
fn who_is_not_admitted_is_told_once_a_second() {
    let mut host = Host::on_private();
    let b = host.b.address();
    let refuse = |host: &mut Host, at| {
        host.now = at;
        host.receive(b, Verb::Frame, &NETWORK.to_bytes(), |networks, ctx, _, rx| {
            networks.refuse(ctx, rx, NETWORK);
        });
        host.sent().len()
    };

    assert_eq!(refuse(&mut host, secs(0)), 1);
    assert_eq!(refuse(&mut host, secs(0)), 0);
    assert_eq!(refuse(&mut host, secs(1)), 1);
}

#[test]
fn what_cannot_count_any_more_is_forgotten() {
    let mut host = Host::on_private();
    let (controller, b) = (host.controller.address(), *host.b.public());
    host.show_certificate(&b, UNIX);
    host.revoke(controller, b.address(), UNIX.0);
    host.known.0.remove(&b.address());

    let mut config = host.networks.config(NETWORK).cloned().unwrap();
    config.timestamp = UNIX + Duration::from_secs(3 * 60 * 60);
    config.membership = Some(host.certificate(host.me.public(), config.timestamp));
    host.configure(&config).unwrap();
    host.pass(secs(61));

    assert!(host.view().members.is_empty());
}

/// Of a public network anybody may be a member.
#[test]
fn the_data_plane_knows_no_more_members_than_this_node() {
    let mut host = Host::on(PortMode::L3, |_| {});

    for n in 1..MEMBERS_MAX as u64 + 100 {
        let member = Address::from_u64(n);
        host.call(|networks, ctx, _| networks.announce(ctx, NETWORK, member));
        host.out = Outbox::default();
    }

    assert_eq!(host.view().members.len(), MEMBERS_MAX);
}
