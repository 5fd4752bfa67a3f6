//! The `zt` command as its users meet it: what it prints, and how it fails.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use tempfile::TempDir;

#[test]
fn an_identity_is_made_shown_and_checked() {
    let dir = TempDir::new().unwrap();
    let home = dir.path().join("home");

    let address = ok(&["id", "new", "--out", text(&home)]);
    let secret = home.join("identity.secret");
    let public = home.join("identity.public");

    assert_eq!(address.trim().len(), 10);
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(ok(&["id", "check", text(&secret)]).starts_with(address.trim()));
    assert!(ok(&["id", "check", text(&public)]).starts_with(address.trim()));
    assert_eq!(
        ok(&["id", "fingerprint", text(&secret)]),
        ok(&["id", "fingerprint", text(&public)])
    );
    let shown = ok(&["id", "show", text(&secret)]);
    let secret_key = fs::read_to_string(&secret).unwrap();
    assert!(shown.contains(fs::read_to_string(&public).unwrap().trim()));
    assert!(!shown.contains(secret_key.rsplit(':').next().unwrap().trim()));
}

#[test]
fn fingerprints_are_pinned_listed_and_taken_back() {
    let dir = TempDir::new().unwrap();
    let home = text(dir.path());
    let address = ok(&["id", "new", "--out", home]);
    let address = address.trim();
    let printed = ok(&["id", "fingerprint", text(&dir.path().join("identity.public"))]);
    let [full, short, qr] = printed.lines().collect::<Vec<_>>()[..] else { panic!("{printed}") };
    let list = || ok(&["pin", "list", "--home", home]);

    assert_eq!(list(), "");
    for (claim, shown) in [
        (format!("{address}@{short}"), short),
        (format!("{address}@{full}"), full),
        (qr.to_owned(), full),
    ] {
        ok(&["pin", "add", "--home", home, &claim]);
        assert_eq!(list(), format!("pinned      {address}@{shown}\n"));
    }
    ok(&["pin", "require", "--home", home]);
    assert!(list().starts_with("only roots and pinned peers"));
    ok(&["pin", "require", "--home", home, "--off"]);
    ok(&["pin", "remove", "--home", home, address]);
    assert_eq!(list(), "");

    let message = fails(&["pin", "remove", "--home", home, address]);
    assert!(message.contains("is not pinned"), "{message}");
    let cut = zt(&["pin", "add", "--home", home, &format!("{address}@{}", &short[1..])]);
    assert_eq!(cut.status.code(), Some(2));
    assert!(String::from_utf8(cut.stderr).unwrap().contains("and this has 31"));
    assert_eq!(
        zt(&["node", "--home", home, "--join", "0102030405000001@x"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_moon_is_drafted_made_and_shown() {
    let dir = TempDir::new().unwrap();
    let address = ok(&["id", "new", "--out", text(dir.path())]);
    let (public, draft) = (dir.path().join("identity.public"), dir.path().join("moon.json"));

    ok(&["moon", "init", "--out", text(&draft), text(&public)]);
    assert_eq!(fs::metadata(&draft).unwrap().permissions().mode() & 0o777, 0o600);
    let message = fails(&["moon", "make", "--out", text(dir.path()), text(&draft)]);
    assert!(message.contains("needs at least one endpoint"), "{message}");
    let json = fs::read_to_string(&draft).unwrap();
    let json = json.replace("\"stableEndpoints\": []", "\"stableEndpoints\": [\"192.0.2.1/9993\"]");
    fs::write(&draft, json).unwrap();
    let made = ok(&["moon", "make", "--out", text(dir.path()), text(&draft)]);

    let file = dir.path().join(format!("000000{}.moon", address.trim()));
    let shown = ok(&["moon", "show", text(&file)]);
    assert!(made.starts_with(&shown), "{made}");
    assert!(shown.contains(&format!("root       {} 192.0.2.1/9993", address.trim())), "{shown}");
    let message = fails(&["planet", "show", text(&file)]);
    assert!(message.contains("not a planet"), "{message}");
}

#[test]
fn an_identity_that_is_there_is_not_replaced() {
    let dir = TempDir::new().unwrap();
    ok(&["id", "new", "--out", text(dir.path())]);
    let before = fs::read(dir.path().join("identity.secret")).unwrap();

    let message = fails(&["id", "new", "--out", text(dir.path())]);

    assert!(message.contains("identity.secret exists already"), "{message}");
    assert_eq!(fs::read(dir.path().join("identity.secret")).unwrap(), before);
}

#[test]
fn an_identity_with_anothers_address_is_not_valid() {
    let dir = TempDir::new().unwrap();
    ok(&["id", "new", "--out", text(dir.path())]);
    let public = dir.path().join("identity.public");
    let forged = format!("1122334455{}", &fs::read_to_string(&public).unwrap()[10..]);
    fs::write(&public, forged).unwrap();

    let message = fails(&["id", "check", text(&public)]);

    assert!(message.contains("its address is not derived from its keys"), "{message}");
}

#[test]
fn a_planet_made_twice_with_one_key_is_a_revision_of_itself() {
    let dir = TempDir::new().unwrap();
    ok(&["id", "new", "--out", text(dir.path())]);
    let root =
        format!("{}=192.0.2.1/9993,2001:db8::1/9993", text(&dir.path().join("identity.public")));
    let (planet, key) = (dir.path().join("planet"), dir.path().join("key"));
    let make = ["planet", "make", "--out", text(&planet), "--key", text(&key), &root];

    let first = ok(&make);
    let second = ok(&make);

    let line = |text: &str, number: usize| text.lines().nth(number).unwrap().to_owned();
    assert_eq!(line(&first, 0), line(&second, 0));
    assert_eq!(line(&first, 2), line(&second, 2));
    assert_eq!(ok(&["planet", "show", text(&planet)]), second);
    assert!(second.contains(" 192.0.2.1/9993 2001:db8::1/9993"), "{second}");
    assert_eq!(fs::metadata(&key).unwrap().len(), 128);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_no_planet_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("planet");
    fs::write(&file, b"earth").unwrap();

    let message = fails(&["planet", "show", text(&file)]);

    assert!(message.contains("planet is corrupt (not a planet)"), "{message}");
}

#[test]
fn a_network_is_made_and_members_are_allowed_and_denied() {
    let dir = TempDir::new().unwrap();
    let home = text(dir.path());
    let address = ok(&["id", "new", "--out", home]);

    let network = ok(&[
        "network",
        "create",
        "--home",
        home,
        "--name",
        "lab",
        "--private",
        "--pool",
        "10.1.0.1-10.1.0.99",
        "--route",
        "10.1.0.0/24",
        "--route",
        "10.2.0.0/16,via 10.1.0.1",
        "--v6",
        "6plane,rfc4193",
    ]);
    let network = network.trim();
    ok(&["network", "allow", "--home", home, network, "0102030405"]);

    assert!(network.starts_with(address.trim()));
    let record = dir.path().join("controller.d/network").join(format!("{network}.json"));
    let json: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    assert_eq!(json["name"], "lab");
    assert_eq!(json["private"], true);
    assert_eq!(json["v4AssignMode"]["zt"], true);
    assert_eq!(json["v6AssignMode"]["6plane"], true);
    assert_eq!(json["routes"][1]["via"], "10.1.0.1");
    let member =
        dir.path().join("controller.d/network").join(network).join("member/0102030405.json");
    let authorized = || {
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&member).unwrap()).unwrap();
        json["authorized"].clone()
    };
    assert_eq!(authorized(), true);
    ok(&["network", "deny", "--home", home, network, "0102030405"]);
    assert_eq!(authorized(), false);
}

#[test]
fn networks_that_are_unknown_or_anothers_are_refused() {
    let dir = TempDir::new().unwrap();
    let home = text(dir.path());

    let message = fails(&["network", "create", "--home", home]);
    assert!(message.contains("zt id new --out"), "{message}");

    let address = ok(&["id", "new", "--out", home]);
    let unknown = format!("{}00000f", address.trim());
    let message = fails(&["network", "allow", "--home", home, &unknown, "0102030405"]);
    assert!(message.contains("unknown network"), "{message}");

    let message = fails(&["network", "deny", "--home", home, "0102030405000001", "0102030405"]);
    assert!(message.contains("belongs to controller 0102030405"), "{message}");
}

#[test]
fn what_a_network_may_do_is_shown_and_changed() {
    let dir = TempDir::new().unwrap();
    let (home, network) = (text(dir.path()), "0102030405000001");
    let set =
        |changes: &[&str]| ok(&[&["network", "set", "--home", home, network], changes].concat());
    let defaults = "allowManaged=1\nallowGlobal=0\nallowDefault=0\nallowDNS=0\n";

    assert_eq!(set(&[]), defaults);
    assert!(!dir.path().join("networks.d").exists());
    let changed = "allowManaged=10.1.0.0/16,fd00::/8\nallowGlobal=0\nallowDefault=1\nallowDNS=1\n";
    set(&["allowManaged=10.1.0.0/16,fd00::/8", "allowDefault=1"]);
    assert_eq!(set(&["allowDNS=1"]), changed);
    let file = dir.path().join("networks.d/0102030405000001.local.conf");
    assert_eq!(fs::read_to_string(&file).unwrap(), changed);

    fs::write(&file, "allowManaged=everything\n").unwrap();
    let message = fails(&["network", "set", "--home", home, network, "allowDNS=1"]);
    assert!(message.contains("local.conf is not understood"), "{message}");
    assert_eq!(zt(&["network", "set", "--home", home, network, "allow=1"]).status.code(), Some(2));
}

#[test]
fn a_pool_that_leads_nowhere_is_refused() {
    let dir = TempDir::new().unwrap();
    let home = text(dir.path());
    ok(&["id", "new", "--out", home]);

    let message = fails(&["network", "create", "--home", home, "--pool", "10.1.0.1-10.1.0.9"]);

    assert!(message.contains("such as --route 10.1.0.0/24"), "{message}");
}

#[test]
fn a_node_says_that_it_runs_and_stops_when_it_is_told() {
    let dir = TempDir::new().unwrap();
    let home = text(dir.path());
    let address = ok(&["id", "new", "--out", home]);
    let mut node = Command::new(env!("CARGO_BIN_EXE_zt"))
        .args(["node", "--home", home, "--port", "0", "--no-tun", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();

    let started: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let told = Command::new("kill").arg(node.id().to_string()).status().unwrap();

    assert_eq!(
        (&started["event"], &started["address"]),
        (&json!("started"), &json!(address.trim()))
    );
    assert_ne!(started["ports"][0], 0);
    assert!(told.success() && node.wait().unwrap().success());
    assert_eq!(lines.last().unwrap().unwrap(), r#"{"event":"stopped"}"#);
    assert!(dir.path().join("planet").exists());
}

/// Also it goes on when it is told to read the file again, which would end other programs.
#[test]
fn a_node_says_on_which_paths_it_does_not_encrypt() {
    let dir = TempDir::new().unwrap();
    let conf = r#"{ "physical": { "10.1.0.0/16": { "trustedPathId": 4660 } } }"#;
    fs::write(dir.path().join("local.conf"), conf).unwrap();
    let mut node = Command::new(env!("CARGO_BIN_EXE_zt"))
        .args(["node", "--home", text(dir.path()), "--port", "0", "--no-tun", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let mut events =
        lines.map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
    let process = node.id().to_string();
    let signal = |name| Command::new("kill").args([name, process.as_str()]).status().unwrap();

    let [started, told] = [events.next().unwrap(), events.next().unwrap()];
    let signalled = [signal("-HUP"), signal("-TERM")];

    assert_eq!(started["event"], "started");
    let trusted = json!([{ "network": "10.1.0.0/16", "id": "1234" }]);
    assert_eq!(told, json!({ "event": "NOT_ENCRYPTED", "trusted_paths": trusted }));
    assert!(signalled.iter().all(|status| status.success()) && node.wait().unwrap().success());
    assert_eq!(events.last().unwrap()["event"], "stopped");
}

#[test]
fn a_running_node_says_why_its_peers_are_reached_the_way_they_are() {
    let dir = TempDir::new().unwrap();
    let home = text(dir.path());
    let peers = ["peers", "--home", home, "--explain"];
    assert!(fails(&peers).contains("no node has run in"));

    let mut node = Command::new(env!("CARGO_BIN_EXE_zt"))
        .args(["node", "--home", home, "--port", "0", "--no-tun", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("started"));
    let (explained, objects) = (ok(&peers), ok(&["peers", "--home", home, "--json"]));
    let token = dir.path().join("authtoken.secret");
    fs::write(&token, "somebody else's").unwrap();
    let refused = fails(&peers);
    let told = Command::new("kill").arg(node.id().to_string()).status().unwrap();
    assert!(told.success() && node.wait().unwrap().success());

    let objects: serde_json::Value = serde_json::from_str(&objects).unwrap();
    assert_eq!(objects[0]["role"], "PLANET");
    assert_eq!(objects[0]["path"], json!(null));
    assert_eq!(objects[0]["explanation"]["reason"], "no root");
    assert!(
        explained.contains("    not reached: no root answers, is UDP blocked?\n"),
        "{explained}"
    );
    assert!(refused.contains("does not take the token of this home directory"), "{refused}");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fails(&peers).contains("is it running?"));
}

#[test]
fn a_port_in_use_is_named() {
    let dir = TempDir::new().unwrap();
    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let message = fails(&["node", "--home", text(dir.path()), "--port", &port, "--no-tun"]);

    assert!(message.contains(&format!("UDP port {port} is in use")), "{message}");
}

#[test]
fn a_node_does_not_start_from_corrupt_files_and_leaves_them_alone() {
    let dir = TempDir::new().unwrap();
    let home = text(dir.path());
    ok(&["id", "new", "--out", home]);
    let planet = dir.path().join("planet");
    fs::write(&planet, b"earth").unwrap();

    let message = fails(&["node", "--home", home, "--port", "0", "--no-tun"]);
    assert!(message.contains("planet is corrupt"), "{message}");
    assert_eq!(fs::read(&planet).unwrap(), b"earth");

    fs::remove_file(&planet).unwrap();
    let pin = dir.path().join("pins.d/0102030405.pin");
    fs::create_dir_all(dir.path().join("pins.d")).unwrap();
    fs::write(&pin, b"whoever").unwrap();
    let message = fails(&["node", "--home", home, "--port", "0", "--no-tun"]);
    assert!(message.contains("0102030405.pin holds no fingerprint"), "{message}");

    fs::remove_file(&pin).unwrap();
    let secret = dir.path().join("identity.secret");
    fs::write(&secret, b"0102030405:0:").unwrap();
    let message = fails(&["node", "--home", home, "--port", "0", "--no-tun"]);
    assert!(message.contains("identity.secret is corrupt"), "{message}");
    assert_eq!(fs::read(&secret).unwrap(), b"0102030405:0:");
}

#[test]
fn wrong_usage_is_told_from_failure() {
    assert_eq!(zt(&["id", "shwo"]).status.code(), Some(2));
    assert_eq!(zt(&["node", "--home", "x", "--join", "nonsense"]).status.code(), Some(2));
    assert_eq!(zt(&["node", "--home", "x", "--tun", "a", "--no-tun"]).status.code(), Some(2));
    assert!(ok(&["--help"]).contains("Exit codes: 0 done, 1 failed"));
}

/// Runs `zt`, which must succeed; returns what it prints.
fn ok(arguments: &[&str]) -> String {
    let output = zt(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `zt`, which must fail; returns what it says.
fn fails(arguments: &[&str]) -> String {
    let output = zt(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn zt(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zt")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
