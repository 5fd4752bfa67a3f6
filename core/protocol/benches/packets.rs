//! What a packet costs beyond its cryptography.
//!
//! Budgets are for one core of an x86-64 server with VAES and no flags for the native CPU.

use std::hint::black_box;

use arrayvec::ArrayVec;
use divan::Bencher;
use divan::counter::BytesCount;
use zerocopy::IntoBytes as _;
use zt_crypto::PeerKey;
use zt_protocol::address::Address;
use zt_protocol::suite::{self, PeerKeys};
use zt_protocol::transmit::Cut;
use zt_protocol::verb::Verb;
use zt_protocol::wire::header::{Cipher, Header};

/// Bodies of a keepalive, a full datagram, a full frame.
const LENS: [usize; 3] = [64, 1400, 2800];

/// A suite that encrypts, as a type so that the report shows its name.
trait Suite {
    const CIPHER: Cipher;
}

struct AesGmacSiv;

impl Suite for AesGmacSiv {
    const CIPHER: Cipher = Cipher::AesGmacSiv;
}

struct Salsa;

impl Suite for Salsa {
    const CIPHER: Cipher = Cipher::Salsa;
}

fn main() {
    divan::main();
}

fn keys() -> PeerKeys {
    PeerKeys::new(PeerKey::from_bytes([7; 48]))
}

/// Returns a clear packet with a body of `len` bytes.
fn packet(cipher: Cipher, len: usize) -> Vec<u8> {
    let (to, from) = (Address::from([1; 5]), Address::from([2; 5]));
    let header = Header::new(0x0123_4567_89ab_cdef, to, from, cipher, Verb::Frame);
    let mut packet = header.as_bytes().to_vec();
    packet.resize(packet.len() + len, 0xa5);
    packet
}

/// Seals a packet in one piece.
///
/// Budget: what `zt-crypto` takes for the same length, and 50 ns.
#[divan::bench(types = [AesGmacSiv, Salsa], args = LENS)]
fn seal<S: Suite>(bencher: Bencher<'_, '_>, len: usize) {
    let keys = keys();
    let mut packet = packet(S::CIPHER, len);

    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| suite::seal(&keys, black_box(&mut packet), ArrayVec::new()));
}

/// Opens what [`seal`] sealed.
///
/// Budget: what `zt-crypto` takes for the same length, and 50 ns.
#[divan::bench(types = [AesGmacSiv, Salsa], args = LENS)]
fn open<S: Suite>(bencher: Bencher<'_, '_>, len: usize) {
    let keys = keys();
    let mut sealed = packet(S::CIPHER, len);
    suite::seal(&keys, &mut sealed, ArrayVec::new()).expect("the suite seals");

    bencher
        .counter(BytesCount::new(len))
        .with_inputs(|| sealed.clone())
        .bench_local_refs(|packet| suite::open(&keys, packet));
}

/// Decides how a full frame is cut.
///
/// Budget: 10 ns.
#[divan::bench]
fn cut_full_frame() -> Option<Cut> {
    Cut::even(black_box(2838), black_box(1432))
}
