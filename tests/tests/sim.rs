//! Stories in simulated worlds. Each says in its name what is so.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[global_allocator]
static MEMORY: zt_tests::memory::Counting = zt_tests::memory::Counting;

mod sim {
    mod amplification;
    mod bonding;
    mod bootstrap;
    mod bridge;
    mod chaos;
    mod conditions;
    mod crowd;
    mod days;
    mod determinism;
    mod explain;
    mod hostile;
    mod idle;
    mod judge;
    mod local;
    mod malice;
    mod memory;
    mod moons;
    mod nats;
    mod networks;
    mod pairings;
    mod paths;
    mod pins;
    mod private;
    mod random_credentials;
    mod random_rules;
    mod registration;
    mod resolution;
    mod restarts;
    mod rules;
    mod scale;
    mod scene;
    mod tcp_relay;
    mod third_parties;
    mod weather;
    mod windows;
}
