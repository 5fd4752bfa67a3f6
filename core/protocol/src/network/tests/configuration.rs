//! Asking for a configuration, and getting one.

use super::*;

/// A request for the network's configuration that says nothing else.
const NETWORK_REQUEST: [u8; 10] = [0x3f, 0x6e, 0xa8, 0xef, 0, 0, 0, 1, 0, 0];

/// Lets time pass up to `until` and returns how often a configuration was asked for.
fn requests(host: &mut Host, until: Instant) -> usize {
    host.pass(until);
    host.sent().iter().filter(|(_, verb)| *verb == Verb::NetworkConfigRequest).count()
}

#[test]
fn a_network_is_asked_for_at_once_then_soon_then_every_five_seconds() {
    let mut host = Host::new();
    host.call(|networks, ctx, _| networks.join(ctx, NETWORK, PortMode::L3, None)).unwrap();
    let mut asked = Vec::new();
    for millis in (0..20_000).step_by(50) {
        host.pass(Instant::from_millis(1_000_000 + millis));
        asked.extend(host.sent().iter().map(|_| millis));
    }

    assert_eq!(asked, [0, 250, 750, 1_750, 3_750, 8_750, 13_750, 18_750]);
    assert_eq!(host.standing(), Standing::RequestingConfiguration);
}

#[test]
fn a_configuration_is_what_host_and_data_plane_see() {
    let mut host = Host::new();
    host.call(|networks, ctx, _| networks.join(ctx, NETWORK, PortMode::L3, None)).unwrap();
    assert_eq!(host.view().admission, Admission::Nobody);
    host.out.events.clear();

    let mut config = host.config();
    let bridge = host.b.address();
    config.specialists = vec![Specialist { address: bridge, roles: Specialist::ACTIVE_BRIDGE }];
    host.configure(&config).unwrap();

    let status = &host.networks.statuses()[0];
    assert_eq!((status.standing, status.name.as_str()), (Standing::Ok, "earth"));
    assert_eq!(status.addresses, config.addresses);
    let reported = Event::Network(Box::new(status.clone()));
    assert!(host.out.events.contains(&reported));
    let stored = Some(config.to_dictionary());
    let key = StoreKey::Network(NETWORK);
    assert!(host.out.events.contains(&Event::Store { key, value: stored }));
    let view = host.view();
    assert_eq!((view.admission, view.multicast_limit), (Admission::Everybody, 32));
    assert!(view.broadcast && view.bridges.contains(&bridge));
}

#[test]
fn a_pushed_configuration_is_acknowledged_and_an_asked_for_one_is_not() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let mut config = host.config();
    config.revision = 7;

    host.configure(&config).unwrap();
    assert_eq!(host.sent()[0], (host.controller.address(), Verb::Ok));

    config.revision = 8;
    answer(&mut host, &config, 99).unwrap();
    assert_eq!(host.networks.config(NETWORK).unwrap().revision, 8);
    assert!(!host.sent().iter().any(|(_, verb)| *verb == Verb::Ok));
}

/// Receives the controller's answer to the request `in_re`.
fn answer(host: &mut Host, config: &NetworkConfig, in_re: u64) -> Result<(), Rejected> {
    let (dictionary, controller) = (config.to_dictionary(), secret("controller"));
    let sign = |message: &[u8]| controller.sign(&[message]);
    let update = host.rng.u64();
    let chunk = netconf::write_chunks(NETWORK, update, &dictionary, sign).next().unwrap();
    host.receive(controller.address(), Verb::Ok, &chunk, |networks, ctx, known, rx| {
        networks.handle_ok_config(ctx, known, rx, in_re).map(drop)
    })
}

/// Somebody kept an old configuration and brings it back, as a push or as the answer it was.
#[test]
fn a_configuration_is_never_replaced_by_an_older_one_somebody_kept() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let old = host.config();
    let mut config = old.clone();
    config.timestamp = UNIX + Duration::from_secs(60);
    host.configure(&config).unwrap();
    host.call(|networks, _, _| networks.asked(&NETWORK_REQUEST, 8));

    assert_eq!(host.configure(&old), Err(Rejected::Stale));
    assert_eq!(answer(&mut host, &old, 7), Err(Rejected::Stale));

    assert_eq!(host.networks.config(NETWORK).unwrap().timestamp, config.timestamp);
}

/// The controller was restored from a backup, so its revision fell; then its clock was set back.
#[test]
fn a_controller_that_has_gone_back_itself_is_followed() {
    let mut host = Host::on(PortMode::L3, |config| config.revision = 9);
    let mut restored = host.config();
    (restored.revision, restored.timestamp) = (3, UNIX + Duration::from_secs(60));
    host.configure(&restored).unwrap();
    assert_eq!(host.networks.config(NETWORK).unwrap().revision, 3);

    let mut set_back = host.config();
    (set_back.revision, set_back.timestamp) = (4, UnixMillis(UNIX.0 - 1_000_000));
    host.call(|networks, _, _| networks.asked(&NETWORK_REQUEST, 8));
    assert_eq!(answer(&mut host, &set_back, 8), Ok(()));
    assert_eq!(host.networks.config(NETWORK).unwrap().revision, 4);
}

#[test]
fn a_configuration_for_somebody_else_changes_nothing() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let before = host.networks.config(NETWORK).cloned();
    let mut config = host.config();
    config.issued_to = host.b.address();

    host.configure(&config).unwrap();

    assert_eq!(host.networks.config(NETWORK).cloned(), before);
}

#[test]
fn a_configuration_is_renewed_after_a_minute_and_then_until_another_comes() {
    let mut host = Host::on(PortMode::L3, |_| {});

    assert_eq!(requests(&mut host, secs(59)), 0);
    assert_eq!(requests(&mut host, secs(71)), 3);
    let same = host.config();
    host.configure(&same).unwrap();
    assert_eq!(requests(&mut host, secs(76)), 1);
    let mut other = host.config();
    other.timestamp = UNIX + Duration::from_secs(76);
    host.configure(&other).unwrap();
    assert_eq!(requests(&mut host, secs(135)), 0);
}

/// Whoever kept an old refusal could otherwise have the member leave whenever they like.
#[test]
fn a_refusal_that_nobody_asked_for_makes_the_member_ask() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let dismiss = |host: &mut Host, from| {
        host.receive(from, Verb::Error, &NETWORK.to_bytes(), |networks, ctx, _, rx| {
            networks.handle_dismissal(ctx, rx)
        })
    };
    let (controller, b) = (host.controller.address(), host.b.address());
    host.sent();

    assert_eq!(dismiss(&mut host, b), Err(Rejected::UnexpectedReply));
    assert_eq!(host.sent(), []);

    assert_eq!(dismiss(&mut host, controller), Ok(()));
    assert_eq!(host.sent(), [(controller, Verb::NetworkConfigRequest)]);
    assert_eq!(host.standing(), Standing::Ok);
}

/// What was sent before the refusal may come after it, and a controller that was asked a moment ago
/// says nothing.
#[test]
fn after_such_a_refusal_the_member_asks_until_it_is_answered() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let from = host.controller.address();
    host.receive(from, Verb::Error, &NETWORK.to_bytes(), |networks, ctx, _, rx| {
        networks.handle_dismissal(ctx, rx)
    })
    .unwrap();
    let body = host.out.packets.back().unwrap().body.clone();
    host.call(|networks, _, _| networks.asked(&body, 77));
    let mut earlier = host.config();
    earlier.timestamp = UNIX + Duration::from_millis(1);
    host.configure(&earlier).unwrap();
    host.sent();

    // Each of the four waits is longer than the one before.
    assert_eq!(requests(&mut host, secs(4)), 4);
    assert_eq!(requests(&mut host, secs(14)), 2);

    host.call(|networks, _, _| networks.asked(&body, 78));
    let code = ErrorCode::NetworkAccessDenied;
    let refuse = |host: &mut Host, in_re: u64| {
        host.receive(from, Verb::Error, &NETWORK.to_bytes(), |networks, ctx, _, rx| {
            networks.handle_error(ctx, rx, (Verb::NetworkConfigRequest, in_re), code)
        })
    };
    refuse(&mut host, 78).unwrap();
    assert_eq!(host.standing(), Standing::AccessDenied);
}

#[test]
fn what_the_controller_says_is_reported_and_what_others_say_is_not() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let (controller, b) = (host.controller.address(), host.b.address());
    let request = Verb::NetworkConfigRequest;

    let refused = host.error(b, request, ErrorCode::NetworkAccessDenied);
    assert_eq!(refused, Err(Rejected::UnexpectedReply));
    let unasked = host.error(controller, Verb::Whois, ErrorCode::ObjectNotFound);
    assert_eq!(unasked, Err(Rejected::UnexpectedReply));
    assert_eq!(host.standing(), Standing::Ok);

    host.error(controller, Verb::Frame, ErrorCode::NetworkAccessDenied).unwrap();
    assert_eq!(host.standing(), Standing::AccessDenied);
    assert_eq!(host.view().admission, Admission::Everybody);

    let mut config = host.config();
    config.revision = 9;
    host.configure(&config).unwrap();
    assert_eq!(host.standing(), Standing::Ok);
}

#[test]
fn a_saved_configuration_is_used_until_the_controller_answers() {
    let mut host = Host::new();
    let mut config = host.config();
    config.name = "saved".to_owned();
    let saved = config.to_dictionary();

    host.call(|networks, ctx, _| networks.join(ctx, NETWORK, PortMode::L3, Some(&saved))).unwrap();

    assert_eq!(host.networks.statuses()[0].name, "saved");
    assert_eq!(host.view().admission, Admission::Everybody);
    assert_eq!(host.sent(), [(host.controller.address(), Verb::NetworkConfigRequest)]);
    let stored = |event: &Event| matches!(event, Event::Store { .. });
    assert!(!host.out.events.iter().any(stored));
}

#[test]
fn what_is_saved_of_somebody_else_is_not_used() {
    for saved in [PLACEHOLDER.to_vec(), vec![0xff; 100], {
        let mut config = Host::new().config();
        config.issued_to = secret("b").address();
        config.to_dictionary()
    }] {
        let mut host = Host::new();
        host.call(|networks, ctx, _| networks.join(ctx, NETWORK, PortMode::L3, Some(&saved)))
            .unwrap();

        assert_eq!(host.standing(), Standing::RequestingConfiguration);
    }
}

#[test]
fn a_network_that_was_left_is_forgotten() {
    let mut host = Host::on(PortMode::L3, |_| {});

    host.call(|networks, ctx, _| networks.leave(ctx, NETWORK)).unwrap();

    let removed = |key| Event::Store { key, value: None };
    let (config, settings) = (StoreKey::Network(NETWORK), StoreKey::NetworkSettings(NETWORK));
    let gone = [removed(config), removed(settings), Event::NetworkLeft(NETWORK)];
    assert_eq!(host.out.events, gone);
    assert!(host.tables.network(NETWORK).is_none());
    assert_eq!(host.networks.poll_timeout(), None);
    let again = host.call(|networks, ctx, _| networks.leave(ctx, NETWORK));
    assert_eq!(again, Err(CommandError::NotJoined(NETWORK)));
}

#[test]
fn nobody_controls_a_network_of_a_reserved_address() {
    let mut host = Host::new();
    let nobodys = NetworkId(1);

    let joined = host.call(|networks, ctx, _| networks.join(ctx, nobodys, PortMode::L3, None));

    assert_eq!(joined, Err(CommandError::InvalidNetwork(nobodys)));
}

#[test]
fn an_ad_hoc_network_is_up_without_a_word() {
    let mut host = Host::new();
    let network = NetworkId(0xff0a_0000_0000_0001);

    host.call(|networks, ctx, _| networks.join(ctx, network, PortMode::L3, None)).unwrap();
    host.pass(secs(600));

    assert_eq!(host.standing(), Standing::Ok);
    assert_eq!(host.sent(), []);
}

/// How a network is logged in to, as its configuration says, and until when.
fn log_in_until(config: &mut NetworkConfig, expiry: UnixMillis) {
    config.sso = Sso {
        enabled: true,
        authentication_url: "https://login.example/".to_owned(),
        expiry_ms: i64::try_from(expiry.0).unwrap(),
        ..Sso::default()
    };
}

#[test]
fn the_controller_is_asked_when_the_log_in_ends() {
    let expiry = UNIX + Duration::from_secs(30);
    let mut host = Host::on(PortMode::L3, |config| log_in_until(config, expiry));

    let login = host.networks.statuses()[0].login.clone().unwrap();
    assert_eq!(login.expiry_ms, i64::try_from(expiry.0).unwrap());
    assert_eq!(requests(&mut host, secs(30)), 0);
    assert_eq!(requests(&mut host, secs(31)), 1);
    assert_eq!(requests(&mut host, secs(59)), 0);
}

#[test]
fn a_log_in_that_has_ended_or_never_does_changes_nothing() {
    for expiry in [UnixMillis(0), UnixMillis(UNIX.0 - 1)] {
        let mut host = Host::on(PortMode::L3, |config| log_in_until(config, expiry));

        host.pass(secs(59));

        assert!(!host.sent().iter().any(|(_, verb)| *verb == Verb::NetworkConfigRequest));
    }
}

#[test]
fn the_host_is_told_where_to_log_in_and_when_that_is_done() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let login = b"aV=0\naU=https://login.example/?q\\e1";
    let len = u16::try_from(login.len()).unwrap().to_be_bytes();
    let body = [&NETWORK.to_bytes(), &len[..], login].concat();

    let code = ErrorCode::NetworkAuthenticationRequired;
    let from = host.controller.address();
    host.receive(from, Verb::Error, &body, |networks, ctx, _, rx| {
        networks.handle_error(ctx, rx, (Verb::NetworkConfigRequest, 1), code)
    })
    .unwrap();

    let reported = |host: &mut Host| match host.out.events.drain(..).next_back() {
        Some(Event::Network(status)) => *status,
        other => panic!("{other:?}"),
    };
    let status = reported(&mut host);
    assert_eq!(status.standing, Standing::AuthenticationRequired);
    assert_eq!(status.login.unwrap().authentication_url, "https://login.example/?q=1");

    let mut config = host.config();
    config.revision = 2;
    log_in_until(&mut config, UNIX + Duration::from_secs(3_600));
    host.configure(&config).unwrap();

    let status = reported(&mut host);
    assert_eq!((status.standing, status.revision), (Standing::Ok, 2));
    assert!(status.login.unwrap().expiry_ms > 0);
}
