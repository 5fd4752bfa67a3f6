//! A node that a test plays: an identity, its keys, and what it says.

use std::net::{IpAddr, SocketAddr};

use zt_protocol::address::Address;

use crate::packet::{Key, mask_hello_tail};

/// An identity with its private key, read without the node's code.
#[derive(Clone)]
pub struct Persona {
    /// The address the identity claims.
    pub address: Address,
    /// Both public keys.
    pub public: [u8; 64],
    /// Both private keys, if known.
    secret: Option<[u8; 64]>,
    /// The text it was read from.
    pub text: String,
}

impl Persona {
    /// Reads the text form `address:0:public:private`, or one without private key, which can only
    /// be spoken for to a node whose own private key is at hand.
    ///
    /// # Panics
    ///
    /// If it is not of that form.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let fields: Vec<_> = text.split(':').collect();
        let (address, public, secret) = match fields[..] {
            [address, "0", public] => (address, public, None),
            [address, "0", public, secret] => (address, public, Some(secret)),
            _ => panic!("not an identity: {text}"),
        };
        let key = |text: &str| -> [u8; 64] {
            let bytes = hex::decode(text).expect("keys are hexadecimal");
            bytes.try_into().expect("keys have 64 bytes")
        };
        Self {
            address: address.parse().expect("an address has 10 digits"),
            public: key(public),
            secret: secret.map(key),
            text: text.to_owned(),
        }
    }

    /// Returns the key shared with `other`.
    #[must_use]
    pub fn key_with(&self, other: &Self) -> Key {
        let key = zt_crypto::agree(&half(self.secret(), 0), &half(&other.public, 0))
            .expect("test keys are sound");
        *key.as_bytes()
    }

    /// Returns the identity's binary public form.
    #[must_use]
    pub fn binary(&self) -> Vec<u8> {
        [&self.address.to_bytes()[..], &[0], &self.public, &[0]].concat()
    }

    /// Signs the concatenated `parts`.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 96] {
        zt_crypto::sign(&half(self.secret(), 32), &half(&self.public, 32), parts)
    }

    fn secret(&self) -> &[u8; 64] {
        self.secret.as_ref().expect("who speaks has a private key")
    }
}

/// Returns the X25519 half of a pair of keys, at 0, or the Ed25519 half, at 32.
fn half(pair: &[u8; 64], at: usize) -> [u8; 32] {
    pair[at..at + 32].try_into().expect("half of 64 bytes")
}

/// What a persona says of itself in HELLO.
#[derive(Clone, Copy, Debug)]
pub struct Hello {
    /// Its protocol version.
    pub protocol: u8,
    /// Its clock, in milliseconds since the Unix epoch.
    pub timestamp: u64,
    /// The physical address it sends to.
    pub sent_to: SocketAddr,
    /// ID and timestamp of its planet.
    pub planet: (u64, u64),
}

impl Hello {
    /// Returns the payload of `persona`'s HELLO with this packet ID, tail masked, no moons.
    #[must_use]
    pub fn payload(&self, persona: &Persona, packet_id: [u8; 8], key: &Key) -> Vec<u8> {
        let mut payload = vec![self.protocol, 1, 14, 0, 1];
        payload.extend(self.timestamp.to_be_bytes());
        payload.extend(persona.binary());
        payload.extend(inet(self.sent_to));
        payload.extend(self.planet.0.to_be_bytes());
        payload.extend(self.planet.1.to_be_bytes());
        let mut tail = [0; 2];
        mask_hello_tail(key, packet_id, &mut tail);
        payload.extend(tail);
        payload
    }
}

/// Returns the payload of OK(HELLO), without worlds.
#[must_use]
pub fn ok_hello(
    in_re: [u8; 8],
    timestamp: &[u8],
    protocol: u8,
    your_address: SocketAddr,
) -> Vec<u8> {
    let mut payload = vec![0x01];
    payload.extend(in_re);
    payload.extend(timestamp);
    payload.extend([protocol, 1, 14, 0, 1]);
    payload.extend(inet(your_address));
    payload.extend([0, 0]);
    payload
}

/// Returns the serialized form of an address and port (spec 01 §18.1).
#[must_use]
pub fn inet(endpoint: SocketAddr) -> Vec<u8> {
    let mut bytes = match endpoint.ip() {
        IpAddr::V4(ip) => [&[4][..], &ip.octets()].concat(),
        IpAddr::V6(ip) => [&[6][..], &ip.octets()].concat(),
    };
    bytes.extend(endpoint.port().to_be_bytes());
    bytes
}
