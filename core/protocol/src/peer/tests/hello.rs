//! How strangers become peers.

use super::*;

/// hello.json: the first OK to a stranger is sealed for one of unknown version, later ones for
/// what it announced.
#[test]
fn a_stranger_becomes_a_peer_by_its_hello() {
    let vectors = vectors::load("hello.json");
    let [first, second] =
        ["protocol version 12", "second HELLO from a sender known as protocol 12"]
            .map(|name| vectors::bytes(&vectors::case(&vectors, name)["wire"]));
    let mut host = Host::root();
    let mut hear = |mut packet: Vec<u8>| {
        let mut ctx = Ctx {
            now: host.now,
            unix: UnixMillis(START),
            rng: &mut host.rng,
            me: &host.me,
            is_full: false,
            tables: &mut host.tables,
            out: &mut host.out,
        };
        let path = path("5.2.0.1:9993");
        let (roots, surface) = (&host.roots, &mut host.surface);
        let outcome = host.peers.handle_hello(&mut ctx, roots, surface, path, &mut packet);
        (outcome, core::mem::take(&mut host.out.packets))
    };
    let verbs = |sent: &[Outgoing]| sent.iter().map(|packet| packet.verb).collect::<Vec<_>>();

    let (outcome, mut answers) = hear(first);
    assert_eq!(outcome, Ok(()));
    let answers = answers.make_contiguous();
    assert_eq!(verbs(answers), [Verb::Ok, Verb::Hello]);
    assert!(matches!(answers[0].seal, Seal::Newcomer(_)));
    let expected = vectors::case(&vectors, "protocol version 12")["replies"][0]["decoded"].clone();
    assert_eq!(answers[0].body, vectors::bytes(&expected["payload"]));

    // It bears the same time as the first, so it is answered and nothing more.
    let (outcome, answers) = hear(second);
    assert_eq!(outcome, Err(Rejected::Stale));
    assert_eq!(answers[0].seal, Seal::Peer);
    assert!(host.tables.peer(Address::from(hex!("9cf5fc3d2f"))).unwrap().takes_aes);
}
