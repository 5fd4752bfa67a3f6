//! What the primitives cost.
//!
//! Budgets are for one core of an x86-64 server with VAES, AVX2 and no flags for the native CPU.
//! A frame of 2800 bytes in 1.1 µs is 20 Gbit/s.
//!
//! Where Poly1305 takes part, 1.2 µs of every message goes into setting up its AVX2 state. Built
//! with `--cfg poly1305_backend="soft"` it has no such cost and wins up to the size of a frame.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::BytesCount;
use zt_crypto::{Encrypt, GmacSiv, NotAuthentic, derivation};

/// A keepalive, a full datagram, a full frame.
const LENS: [usize; 3] = [64, 1400, 2800];

const KEY: [u8; 48] = [7; 48];
const SECRET: [u8; 32] = [1; 32];
const IV: [u8; 8] = [2; 8];
const AAD: [u8; 11] = [3; 11];

fn main() {
    divan::main();
}

/// Seals a message of `len` bytes in one piece: AES-GMAC-SIV, keys expanded.
///
/// Budget: 0.3, 0.8 and 1.1 µs.
#[divan::bench(args = LENS)]
fn gmac_siv_seal(bencher: Bencher<'_, '_>, len: usize) {
    let keys = GmacSiv::new(&KEY);
    let mut message = vec![0; len];

    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| keys.seal(&IV, &AAD, &mut [black_box(&mut message)]));
}

/// Opens what [`gmac_siv_seal`] sealed, in one piece.
///
/// Budget: 0.3, 0.8 and 1.1 µs.
#[divan::bench(args = LENS)]
fn gmac_siv_open(bencher: Bencher<'_, '_>, len: usize) {
    let keys = GmacSiv::new(&KEY);
    let mut sealed = vec![0; len];
    let tag = keys.seal(&IV, &AAD, &mut [&mut sealed]);

    bencher
        .counter(BytesCount::new(len))
        .with_inputs(|| sealed.clone())
        .bench_local_refs(|message| keys.open(&tag, &AAD, &mut [message]));
}

/// Opens a full frame of 2800 bytes as it arrives: in two fragments, cut evenly.
///
/// Budget: 1.2 µs, little more than in one piece.
#[divan::bench]
fn gmac_siv_open_two_fragments(bencher: Bencher<'_, '_>) {
    let keys = GmacSiv::new(&KEY);
    let mut sealed = vec![0; 2800];
    let tag = keys.seal(&IV, &AAD, &mut [&mut sealed]);

    bencher.counter(BytesCount::new(sealed.len())).with_inputs(|| sealed.clone()).bench_local_refs(
        |message| {
            let (head, tail) = message.split_at_mut(1394);
            keys.open(&tag, &AAD, &mut [head, tail])
        },
    );
}

/// Derives and expands the AES keys of one peer.
///
/// Budget: 3 µs, once per peer.
#[divan::bench]
fn gmac_siv_keys() -> GmacSiv {
    GmacSiv::new(black_box(&KEY))
}

/// Encrypts and authenticates a message of `len` bytes in one piece: Salsa20/12-Poly1305.
///
/// Budget: 1.5, 3.2 and 5 µs.
#[divan::bench(args = LENS)]
fn salsa_poly_seal(bencher: Bencher<'_, '_>, len: usize) {
    let mut message = vec![0; len];

    bencher.counter(BytesCount::new(len)).bench_local(|| {
        let pieces = &mut [black_box(message.as_mut_slice())];
        zt_crypto::salsa12_poly1305_seal(&SECRET, &IV, Encrypt::Yes, pieces)
    });
}

/// Opens what [`salsa_poly_seal`] sealed, in one piece.
///
/// Budget: 1.5, 3.2 and 5 µs.
#[divan::bench(args = LENS)]
fn salsa_poly_open(bencher: Bencher<'_, '_>, len: usize) {
    let mut sealed = vec![0; len];
    let tag = zt_crypto::salsa12_poly1305_seal(&SECRET, &IV, Encrypt::Yes, &mut [&mut sealed]);
    let open = |message: &mut Vec<u8>| -> Result<(), NotAuthentic> {
        zt_crypto::salsa12_poly1305_open(&SECRET, &IV, Encrypt::Yes, &tag, &mut [message])
    };

    bencher.counter(BytesCount::new(len)).with_inputs(|| sealed.clone()).bench_local_refs(open);
}

/// Authenticates a message of `len` bytes without encrypting it, as a HELLO is.
///
/// Budget: 1.5, 1.8 and 2.2 µs.
#[divan::bench(args = LENS)]
fn poly_seal(bencher: Bencher<'_, '_>, len: usize) {
    let mut message = vec![0; len];

    bencher.counter(BytesCount::new(len)).bench_local(|| {
        let pieces = &mut [black_box(message.as_mut_slice())];
        zt_crypto::salsa12_poly1305_seal(&SECRET, &IV, Encrypt::No, pieces)
    });
}

/// Masks `len` bytes with Salsa20/12, as the tail of a HELLO is.
///
/// Budget: 0.1, 1.5 and 3 µs.
#[divan::bench(args = LENS)]
fn salsa12_xor(bencher: Bencher<'_, '_>, len: usize) {
    let mut message = vec![0; len];

    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| zt_crypto::salsa12_xor(&SECRET, &IV, black_box(&mut message)));
}

/// Hashes `len` bytes with SHA-512, as the address derivation and signatures do.
///
/// Budget: 0.3, 3 and 5 µs.
#[divan::bench(args = LENS)]
fn sha512(bencher: Bencher<'_, '_>, len: usize) {
    let message = vec![0; len];

    bencher.counter(BytesCount::new(len)).bench_local(|| zt_crypto::sha512(&[black_box(&message)]));
}

/// Hashes `len` bytes with SHA-384, as identity fingerprints do.
///
/// Budget: 0.3, 3 and 5 µs.
#[divan::bench(args = LENS)]
fn sha384(bencher: Bencher<'_, '_>, len: usize) {
    let message = vec![0; len];

    bencher.counter(BytesCount::new(len)).bench_local(|| zt_crypto::sha384(&[black_box(&message)]));
}

/// Agrees on the key of one peer.
///
/// Budget: 50 µs, once per peer and for every HELLO from a stranger.
#[divan::bench]
fn agree(bencher: Bencher<'_, '_>) {
    let theirs = zt_crypto::x25519_public(&[9; 32]);

    bencher.bench_local(|| zt_crypto::agree(&SECRET, black_box(&theirs)));
}

/// Signs a message of `len` bytes.
///
/// Budget: 35, 37 and 40 µs.
#[divan::bench(args = LENS)]
fn sign(bencher: Bencher<'_, '_>, len: usize) {
    let public = zt_crypto::ed25519_public(&SECRET);
    let message = vec![0; len];

    bencher.bench_local(|| zt_crypto::sign(&SECRET, &public, &[black_box(&message)]));
}

/// Verifies the signature of a message of `len` bytes.
///
/// Budget: 50, 52 and 55 µs.
#[divan::bench(args = LENS)]
fn verify(bencher: Bencher<'_, '_>, len: usize) {
    let public = zt_crypto::ed25519_public(&SECRET);
    let message = vec![0; len];
    let signature = zt_crypto::sign(&SECRET, &public, &[&message]);

    bencher.bench_local(|| zt_crypto::verify(&public, &[black_box(&message)], &signature));
}

/// Derives the address of one public key.
///
/// Budget: 20 ms, which is what every stranger's identity costs us to check.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn derive() -> [u8; 64] {
    derivation::derive(black_box(&[5; 64]))
}
