//! Planets and moons, as files and over the network (spec 02 §1, spec 04 §12.3).

use std::time::Duration;

use serde_json::Value;
use zt_protocol::address::MoonId;
use zt_protocol::event::StoreKey;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::node::Command;
use zt_protocol::rng::Rng;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::json::{Draft, DraftError};
use zt_protocol::world::{World, WorldKey, WorldKind};
use zt_tests::persona::ok_hello;
use zt_tests::vector_node::verbs;

use crate::bench::{A_AT, R_AT, address, endpoint, lone_leaf};
use crate::fields::{array, bytes, cases, flag, has, list, name, number, text};
use crate::physical::socket_address;
use crate::report::Report;

/// default_planet.json
pub(crate) fn default_planet(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || {
            let planet = World::default_planet();

            assert_eq!(hex::encode(planet.to_bytes()), text(case, "hex"));
            compare_parsed(&planet, &case["parsed"]);
            let own_key = planet.updates_signed_by;
            let verifies = flag(case, "signature_verifies_with_own_key");
            assert_eq!(planet.is_signed_by(&own_key), verifies);
            for (root, valid) in planet.roots.iter().zip(list(case, "root_identity_hashcash_valid"))
            {
                assert_eq!(root.identity.is_valid(), valid.as_bool().unwrap());
            }
        });
    }
}

/// worlds.json
pub(crate) fn worlds(file: &Value, report: &mut Report) {
    let key_of = |signer: &str| key(text(&file["identities_secret"], signer));
    for case in cases(file) {
        match text(case, "kind") {
            "serialization" => report.case(name(case), || {
                serialized(case, &key_of(text(case, "signed_by")));
            }),
            "parse" => parsed(case, report),
            "planet_update" => report.case(name(case), || updated(case)),
            "moon_update" => report.case(name(case), || moon_offered(file, case)),
            "start_decision" if name(case).starts_with("unparsable") => {
                let reason = "a planet file that is none is reported, not passed over";
                report.stricter(name(case), reason, || {
                    assert!(World::read_prefix(b"unparsable").is_err());
                });
            }
            "start_decision" => report.case(name(case), || started(file, case)),
            other => panic!("unknown kind {other}"),
        }
    }
}

/// moon_tools.json
pub(crate) fn moon_tools(file: &Value, report: &mut Report) {
    let secret = SecretIdentity::from_text(text(file, "identity_secret_of_first_root")).unwrap();
    for case in cases(file) {
        let label = text(case, "label");
        let command = list(case, "args").first().and_then(Value::as_str).unwrap_or_default();
        match command {
            "initmoon" if has(case, "output_json") => {
                report.case(label, || drafted(case, secret.public()));
            }
            "genmoon" if has(case, "file_hex") => made(case, report),
            "genmoon" if has(case, "input_json") => report.case(label, || misdrafted(case)),
            "getpublic" => report.case(label, || {
                assert_eq!(secret.public().to_string(), text(case, "stdout"));
            }),
            "sign" if case["exit"] == 0 => report.case(label, || {
                assert_eq!(hex::encode(secret.sign(&[b"hello\n"])), text(case, "stdout"));
            }),
            "verify" => report.case(label, || {
                let message: &[u8] = if case["exit"] == 0 { b"hello\n" } else { b"altered\n" };
                let signature = list(case, "args")[3].as_str().unwrap();
                let signature = hex::decode(signature).unwrap();
                let verifies = secret.public().verify(&[message], &signature);
                assert_eq!(verifies, case["exit"] == 0);
            }),
            "validate" if label == "validate" => {
                report.case(label, || assert!(secret.public().is_valid()))
            }
            _ => report
                .not_run(label, "exit codes and messages are a matter of the command line tool"),
        }
    }
}

/// A world that is made as the reference's tool makes it, unless nobody could use it.
fn made(case: &Value, report: &mut Report) {
    let label = text(case, "label");
    let file = bytes(case, "file_hex");
    let draft = Draft::from_json(case["input_json"].to_string().as_bytes());
    let timestamp = UnixMillis(u64::from_be_bytes(file[9..17].try_into().unwrap()));

    let refused = match draft.map(|draft| draft.sign(timestamp)) {
        Ok(Ok(world)) => {
            report.case(label, || {
                assert_eq!(hex::encode(world.to_bytes()), hex::encode(&file));
                assert_eq!(format!("{:016x}.moon", world.id), text(case, "file"));
            });
            return;
        }
        Ok(Err(why)) => format!("{why:?}"),
        Err(why) => format!("{why:?}"),
    };
    let reason = "a world nobody could use or read is not made";
    report.stricter(label, reason, || {
        let expected = match label {
            six if six.contains("six roots") => "TooManyRoots",
            empty if empty.contains("no endpoints") => "NoEndpoints(69656de7cb)",
            _ => "Field { field: \"stableEndpoints\", expected: \"a list of \\\"IP/PORT\\\"\" }",
        };
        assert_eq!(refused, expected);
    });
}

/// A draft of a moon, which differs from the reference's only in the key, made by chance.
fn drafted(case: &Value, root: &Identity) {
    let draft = Draft::of_moon(root, &mut Rng::from_seed([1; 32]));
    let mut ours: Value = serde_json::from_str(&draft.to_json()).unwrap();
    let theirs = &case["output_json"];

    assert_eq!(ours["signingKey"], ours["updatesMustBeSignedBy"]);
    assert_eq!(theirs["signingKey"], theirs["updatesMustBeSignedBy"]);
    for field in ["signingKey", "signingKey_SECRET", "updatesMustBeSignedBy"] {
        ours[field] = theirs[field].clone();
    }
    assert_eq!(&ours, theirs);
}

/// A draft that is not one is refused, and it is said which field is wrong.
fn misdrafted(case: &Value) {
    let refused = Draft::from_json(case["input_json"].to_string().as_bytes()).err();
    let expected = match text(case, "label") {
        "genmoon, bad type" => "worldType",
        "genmoon, id zero" => "id",
        _ => "identity",
    };
    assert!(matches!(refused, Some(DraftError::Field { field, .. }) if field == expected));
}

fn serialized(case: &Value, signer: &WorldKey) {
    let file = bytes(case, "hex");
    let (world, len) = World::read_prefix(&file).unwrap();
    let signed = bytes(case, "signed_bytes_hex");

    assert_eq!(len, file.len());
    assert_eq!(world.to_bytes(), file);
    compare_parsed(&world, &case["parsed"]);
    assert_eq!(world.is_signed_by(signer.public()), flag(case, "signature_verifies"));
    // What is signed is the file without the signature, between two marks.
    let unsigned = [&[0x7f; 8][..], &file[..81], &file[177..], &[0xf7; 8]].concat();
    assert_eq!(unsigned, signed);

    if world.roots.iter().all(|root| !root.endpoints.is_empty()) {
        let (roots, next) = (world.roots.clone(), world.updates_signed_by);
        let remade = World::sign(world.kind, world.id, world.timestamp, roots, signer, &next);
        assert_eq!(remade.unwrap(), world);
    }
}

fn parsed(case: &Value, report: &mut Report) {
    let input = bytes(case, "hex");
    let read = World::read_prefix(&input);
    if flag(case, "parses") && number(case, "type_byte") == 0 {
        let reason = "a world of no kind is of no use, so it is not read";
        report.stricter(name(case), reason, || assert!(read.is_err()));
        return;
    }
    if flag(case, "parses") && number(case, "consumed") > number(case, "total") {
        let reason = "a world ends where its bytes end";
        report.stricter(name(case), reason, || assert!(read.is_err()));
        return;
    }
    report.case(name(case), || {
        assert_eq!(read.is_ok(), flag(case, "parses"));
        let Ok((world, len)) = read else { return };

        assert_eq!(len as u64, number(case, "consumed"));
        assert_eq!(hex::encode(world.to_bytes()), text(case, "reserialized_hex"));
    });
}

fn updated(case: &Value) {
    let read = |field| match text(case, field) {
        "compiled-in default planet" => World::default_planet(),
        _ => World::read_prefix(&bytes(case, field)).unwrap().0,
    };
    let (old, new) = (read("old_hex"), read("new_hex"));

    let accepted = new.supersedes(&old).is_ok();

    assert_eq!(accepted, flag(case, "accepted"));
    let after = if accepted { new } else { old };
    assert_eq!(after.timestamp.0, number(case, "planet_timestamp_after"));
}

/// Leaf A, whose planet root is R, is offered a moon whose root is R2 by whoever it asks.
fn moon_offered(file: &Value, case: &Value) {
    let read = |case| World::read_prefix(&bytes(case, "new_hex")).unwrap().0;
    let new = read(case);
    let moon = MoonId(new.id);
    let [r, r2, b] = ["R", "R2", "B"].map(|letter| address(file, letter));
    let (from, seed, definition) = match name(case) {
        "not orbited" => (r, None, None),
        "orbit without seed and without a moon file, then the moon arrives" => (r, None, None),
        "orbited with a seed that is not a root of the moon" => (b, Some(b), None),
        orbited if orbited.starts_with("orbited") => (r2, Some(r2), None),
        _ => {
            let first = "orbited with a seed that is a root of the moon";
            let first = cases(file).iter().find(|case| name(case) == first).unwrap();
            (r2, None, Some(read(first)))
        }
    };
    let mut leaf = lone_leaf(file);
    if name(case) != "not orbited" {
        let is_of_use = seed.is_some() || definition.is_some();
        let sent = leaf.command(Command::Orbit { moon, seed, definition });
        assert_eq!(sent.is_ok(), is_of_use);
        leaf.answer(sent.unwrap_or_default());
    }
    leaf.live_for(Duration::from_secs(10));

    let timestamp = leaf.unix_ms().to_be_bytes();
    let mut ok = ok_hello(leaf.last_hello[&from], &timestamp, 12, endpoint(A_AT));
    let worlds = new.to_bytes();
    ok.truncate(ok.len() - 2);
    ok.extend(u16::try_from(worlds.len()).unwrap().to_be_bytes());
    ok.extend(worlds);
    let datagram = leaf.seal_relayed(from, 1, verbs::OK, &ok);
    leaf.feed(endpoint(R_AT), &datagram);

    let worlds = leaf.worlds();
    assert_eq!(worlds.moons.len() as u64, number(case, "moon_count_after"));
    assert_eq!(worlds.wanted.len() as u64, number(case, "wanted_after"));
    if let Some(moon) = worlds.moons.first() {
        assert_eq!(moon.timestamp.0, number(case, "moon_timestamp_after"));
    }
    let is_stored = leaf.stored.contains_key(&StoreKey::Moon(moon));
    assert_eq!(is_stored, flag(case, "moon_file_written"));
}

/// A planet in a file is trusted, and the one compiled in does not replace it.
fn started(file: &Value, case: &Value) {
    let planet = if has(case, "planet_file_hex") {
        World::read_prefix(&bytes(case, "planet_file_hex")).unwrap().0
    } else {
        // The file is not shown, but said to be another revision of the one in the case before.
        let shown = cases(file).iter().rfind(|case| has(case, "planet_file_hex")).unwrap();
        let (shown, _) = World::read_prefix(&bytes(shown, "planet_file_hex")).unwrap();
        World { timestamp: UnixMillis(number(case, "planet_timestamp_after_start")), ..shown }
    };

    assert!(World::default_planet().supersedes(&planet).is_err());
    for (field, kept) in
        [("planet_id_after_start", planet.id), ("planet_timestamp_after_start", planet.timestamp.0)]
    {
        assert!(!has(case, field) || number(case, field) == kept, "{field}");
    }
}

fn compare_parsed(world: &World, parsed: &Value) {
    let kind = match text(parsed, "type") {
        "planet" => WorldKind::Planet,
        "moon" => WorldKind::Moon,
        other => panic!("unknown type {other}"),
    };
    assert_eq!(world.kind, kind);
    assert_eq!(world.id, number(parsed, "id"));
    assert_eq!(world.timestamp, UnixMillis(number(parsed, "timestamp")));
    assert_eq!(world.updates_signed_by, array(parsed, "updates_must_be_signed_by"));
    assert_eq!(world.signature, array(parsed, "signature"));
    assert_eq!(world.roots.len(), list(parsed, "roots").len());
    for (root, parsed) in world.roots.iter().zip(list(parsed, "roots")) {
        assert_eq!(root.identity.to_string(), text(parsed, "identity"));
        let endpoints = list(parsed, "stable_endpoints").iter();
        let endpoints = endpoints.filter_map(|endpoint| socket_address(endpoint.as_str()?));
        assert_eq!(root.endpoints, endpoints.collect::<Vec<_>>());
    }
}

/// Returns the key pair of an identity, which is what the reference's test worlds are signed with.
fn key(secret_text: &str) -> WorldKey {
    let mut fields = secret_text.split(':').skip(2);
    let mut half = || hex::decode(fields.next().unwrap()).unwrap();
    key_of_parts(&half(), &half())
}

fn key_of_parts(public: &[u8], secret: &[u8]) -> WorldKey {
    WorldKey::from_bytes(&[public, secret].concat().try_into().unwrap()).unwrap()
}
