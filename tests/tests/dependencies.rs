//! What the crates that phones use may depend on, read from the tree that cargo resolves.
//!
//! Two promises are held here: no crate on a phone compiles C, and the protocol core reaches no
//! socket, clock, thread or randomness of the operating system through any dependency.

use std::collections::BTreeSet;
use std::process::Command;

/// The platforms whose dependency trees are read: phones, and what the tests themselves run on.
const TARGETS: [&str; 4] = [
    "aarch64-linux-android",
    "aarch64-apple-ios",
    "armv7-linux-androideabi",
    "x86_64-unknown-linux-gnu",
];

/// The workspace crates that end up in an application on a phone.
const PHONE_CRATES: [&str; 4] = ["zt-crypto", "zt-protocol", "zt-runtime", "zt-ffi"];

/// Build tools that run a C compiler, and crates that ship C without using one of them.
const COMPILES_C: [&str; 10] = [
    "autotools",
    "aws-lc-rs",
    "aws-lc-sys",
    "bindgen",
    "cc",
    "cmake",
    "nasm-rs",
    "openssl-sys",
    "pkg-config",
    "ring",
];

/// Crates through which sockets, clocks, threads or the randomness of the system would come in.
const DOES_IO: [&str; 14] = [
    "async-io",
    "chrono",
    "getrandom",
    "mio",
    "nix",
    "polling",
    "quinn-udp",
    "rand",
    "rayon",
    "rustix",
    "smol",
    "socket2",
    "time",
    "tokio",
];

/// The names of all crates `package` is built from on `target`, build scripts included.
fn tree(package: &str, target: &str) -> BTreeSet<String> {
    let mut arguments = vec!["--package", package, "--target", target, "--edges", "normal,build"];
    if package == "zt-ffi" {
        // All that Kotlin and Swift need of it.
        arguments.extend(["--features", "uniffi"]);
    }
    cargo_tree(&arguments)
}

/// The names `cargo tree` prints for `arguments`.
fn cargo_tree(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}"])
        .args(arguments)
        .output()
        .expect("cargo runs these tests, so it can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree {arguments:?}: {errors}");
    String::from_utf8(output.stdout)
        .expect("cargo prints UTF-8")
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Those of `forbidden` that are in `tree`.
fn found<'a>(tree: &BTreeSet<String>, forbidden: &[&'a str]) -> Vec<&'a str> {
    forbidden.iter().copied().filter(|&name| tree.contains(name)).collect()
}

#[test]
fn no_crate_that_phones_use_compiles_c() {
    for package in PHONE_CRATES {
        for target in TARGETS {
            let found = found(&tree(package, target), &COMPILES_C);
            assert!(found.is_empty(), "{package} on {target} depends on {found:?}");
        }
    }
}

/// What bindings add to the library for C: uniffi, and JNI for packets.
#[test]
fn no_binding_that_phones_use_compiles_c() {
    for target in TARGETS {
        let edges = ["--target", target, "--edges", "normal,build"];
        let tree =
            cargo_tree(&[&["--package", "zt-ffi", "--features", "jni"], &edges[..]].concat());
        assert!(tree.contains("jni") && tree.contains("uniffi"), "{target} has no bindings");
        let found = found(&tree, &COMPILES_C);
        assert!(found.is_empty(), "the bindings on {target} depend on {found:?}");
    }
}

#[test]
fn the_core_reaches_no_io_clock_thread_or_system_randomness() {
    for package in ["zt-crypto", "zt-protocol"] {
        for target in TARGETS {
            let found = found(&tree(package, target), &DOES_IO);
            assert!(found.is_empty(), "{package} on {target} depends on {found:?}");
        }
    }
}

/// `libc` opens sockets as well; the core has it only because processor features are read with it.
#[test]
fn libc_reaches_the_core_only_through_cpufeatures() {
    for target in TARGETS {
        if !tree("zt-protocol", target).contains("libc") {
            continue;
        }
        let users = cargo_tree(&[
            "--package",
            "zt-protocol",
            "--target",
            target,
            "--edges",
            "normal,build",
            "--invert",
            "libc",
            "--depth",
            "1",
        ]);
        let expected = ["cpufeatures", "libc"].map(str::to_owned).into();
        assert_eq!(users, expected, "libc is used by more than cpufeatures on {target}");
    }
}

/// The runtime has what the core must not have, so a check that finds nothing there sees nothing.
#[test]
fn the_check_finds_io_in_the_crate_that_does_it() {
    let tree = tree("zt-runtime", "x86_64-unknown-linux-gnu");
    for name in ["getrandom", "mio", "socket2", "tokio"] {
        assert!(found(&tree, &DOES_IO).contains(&name), "{name} was not found in zt-runtime");
    }
}
