//! Network configurations on their way: the request, the chunks, the acknowledgement.
//!
//! ```text
//!  NETWORK_CONFIG_REQUEST
//!   0         8        10          10+L       18+L
//!   +---------+--------+-----------+----------+-----------+
//!   | network | length | metadata  | revision | timestamp |   of the configuration held, or 0
//!   |         | L      |           |          |           |
//!   +---------+--------+-----------+----------+-----------+
//!
//!  NETWORK_CONFIG, and OK(NETWORK_CONFIG_REQUEST) after its header: a chunk
//!   0         8        10     10+L    11+L        19+L    23+L    27+L   28+L    30+L
//!   +---------+--------+------+-------+-----------+-------+-------+------+--------+-----------+
//!   | network | length | data | flags | update id | total | index | type | length | signature |
//!   |         | L      |      |       |           |       |       | 1    | 96     |           |
//!   +---------+--------+------+-------+-----------+-------+-------+------+--------+-----------+
//!   |<----------------------------- signed ---------------------->|
//! ```
//!
//! Source: spec 03 §2.2, §3.1, §3.5; spec 04 §2.3.

use core::iter;

use crate::address::NetworkId;
use crate::error::Malformed;
use crate::verb::Verb;
use crate::wire::cursor::{Put, Reader};
use crate::wire::reply;

/// Most bytes of a configuration in one chunk that this node makes (spec 04 §2.3).
pub const CHUNK_DATA_LEN_MAX: usize = 9_740;

/// Set in a chunk that members shall pass on to each other.
const FAST_PROPAGATE: u8 = 0x01;

/// The one kind of signature there is.
const SIGNATURE_TYPE: u8 = 1;
const SIGNATURE_LEN: usize = 96;

/// The body of a NETWORK_CONFIG_REQUEST.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// Whose configuration is asked for.
    pub network: NetworkId,
    /// What the member says about itself, as a dictionary.
    pub metadata: &'a [u8],
    /// Revision of the configuration held, 0 if none. Informative.
    pub revision: u64,
    /// Timestamp of the configuration held, 0 if none. Informative.
    pub timestamp: u64,
}

impl<'a> Request<'a> {
    /// Reads a request. A body without metadata has empty metadata, and what is held may be
    /// missing, since nobody needs it.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`] if network or metadata do not end.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("NETWORK_CONFIG_REQUEST", body);
        let network = reader.network()?;
        let metadata = if reader.remaining() < 2 {
            &[]
        } else {
            let len = reader.u16()?;
            reader.bytes(usize::from(len))?
        };
        let revision = reader.u64().unwrap_or(0);
        let timestamp = reader.u64().unwrap_or(0);

        Ok(Self { network, metadata, revision, timestamp })
    }

    /// Returns the body.
    ///
    /// # Panics
    ///
    /// If there are more than 65,535 bytes of metadata, of which controllers read 1,023.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_network(self.network);
        out.put_u16(u16::try_from(self.metadata.len()).expect("metadata is short"));
        out.put(self.metadata);
        out.put_u64(self.revision);
        out.put_u64(self.timestamp);
        out
    }
}

/// A slice of a configuration's dictionary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Chunk<'a> {
    /// Whose configuration it is part of.
    pub network: NetworkId,
    /// The slice.
    pub data: &'a [u8],
    /// Members shall pass the chunk on to each other.
    pub fast_propagate: bool,
    /// The same for all chunks of one configuration.
    pub update_id: u64,
    /// Length of the whole dictionary, in bytes.
    pub total_len: u32,
    /// Where in the dictionary the slice begins. `index + data.len()` is at most `total_len`.
    pub index: u32,
    /// What vouches for the chunk; `None` if nothing does but the packet's sender, who then must
    /// be the controller. Such a chunk is a whole configuration.
    pub signed: Option<Signed<'a>>,
}

/// A signature and what it is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signed<'a> {
    /// What the controller signed.
    pub message: &'a [u8],
    /// Its signature.
    pub signature: &'a [u8; SIGNATURE_LEN],
}

impl<'a> Chunk<'a> {
    /// Reads a chunk that came in the packet `packet_id`. Bytes after the signature are ignored.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the chunk does not end, does not lie within its configuration, or is
    /// signed in a way that is not defined.
    pub fn read(body: &'a [u8], packet_id: u64) -> Result<Self, Malformed> {
        let mut reader = Reader::new("NETWORK_CONFIG", body);
        let network = reader.network()?;
        let len = reader.u16()?;
        let data = reader.bytes(usize::from(len))?;
        if reader.is_empty() {
            return Ok(Self {
                network,
                data,
                fast_propagate: false,
                update_id: packet_id,
                total_len: u32::from(len),
                index: 0,
                signed: None,
            });
        }

        let flags = reader.u8()?;
        let update_id = reader.u64()?;
        let total_len = reader.u32()?;
        let index = reader.u32()?;
        if index.checked_add(u32::from(len)).is_none_or(|end| end > total_len) {
            return Err(Malformed::Inconsistent { what: "NETWORK_CONFIG chunk position" });
        }
        let message = reader.consumed();
        let signature = read_signature(&mut reader)?;

        Ok(Self {
            network,
            data,
            fast_propagate: flags & FAST_PROPAGATE != 0,
            update_id,
            total_len,
            index,
            signed: Some(Signed { message, signature }),
        })
    }
}

impl Signed<'_> {
    /// Returns what tells this chunk from the others of its configuration (spec 03 §3.2).
    #[must_use]
    pub fn chunk_id(&self) -> u64 {
        let (words, _) = self.signature.as_chunks();
        u64::from_be_bytes(words[0]) ^ u64::from_be_bytes(words[1])
    }
}

fn read_signature<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8; SIGNATURE_LEN], Malformed> {
    let kind = reader.u8()?;
    if kind != SIGNATURE_TYPE {
        return Err(Malformed::Undefined {
            field: "NETWORK_CONFIG signature type",
            value: u64::from(kind),
        });
    }
    let len = reader.u16()?;
    if usize::from(len) != SIGNATURE_LEN {
        return Err(Malformed::Undefined {
            field: "NETWORK_CONFIG signature length",
            value: u64::from(len),
        });
    }
    reader.array()
}

/// Cuts `dictionary` into chunks and signs each with `sign`, which is given the message.
///
/// An empty dictionary makes no chunk. `update_id` must not be 0.
///
/// # Panics
///
/// If the dictionary is 4 GiB or longer.
pub fn write_chunks<'a>(
    network: NetworkId,
    update_id: u64,
    dictionary: &'a [u8],
    sign: impl Fn(&[u8]) -> [u8; SIGNATURE_LEN] + 'a,
) -> impl Iterator<Item = Vec<u8>> + 'a {
    debug_assert!(update_id != 0);
    let total_len = u32::try_from(dictionary.len()).expect("a configuration is below 4 GiB");

    iter::zip(0.., dictionary.chunks(CHUNK_DATA_LEN_MAX)).map(move |(number, data)| {
        let mut out = Vec::new();
        out.put_network(network);
        out.put_u16(u16::try_from(data.len()).expect("a chunk is below 64 KiB"));
        out.put(data);
        out.put_u8(0);
        out.put_u64(update_id);
        out.put_u32(total_len);
        out.put_u32(number * CHUNK_DATA_LEN_MAX as u32);
        let signature = sign(&out);
        out.put_u8(SIGNATURE_TYPE);
        out.put_u16(SIGNATURE_LEN as u16);
        out.put(&signature);
        out
    })
}

/// Returns the body of the OK that acknowledges the configuration `update_id`, which the pushed
/// packet `packet_id` completed.
///
/// It claims to answer an ECHO, as the reference's does; nobody evaluates that (spec 03 §3.5).
#[must_use]
pub fn acknowledge(packet_id: u64, network: NetworkId, update_id: u64) -> Vec<u8> {
    let mut out = reply::ok(Verb::Echo, packet_id);
    out.put_network(network);
    out.put_u64(update_id);
    out
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::{bytes, load};

    const NETWORK: NetworkId = NetworkId(0x3f6e_a8ef_0000_0001);

    /// From network_requests.json, "request while holding revision 0x1122 of time T0", with only
    /// the first of the metadata.
    const REQUEST: [u8; 45] = hex!(
        "3f6ea8ef00000001"                         // network
        "0013"                                     // 19 bytes of metadata
        "763d30303030303030303030303030303037 0a" // v=0000000000000007
        "0000000000001122"                         // revision held
        "0000018bcfe56800"                         // its timestamp
    );

    #[test]
    fn the_references_request_is_read_and_written() {
        let request = Request {
            network: NETWORK,
            metadata: b"v=0000000000000007\n",
            revision: 0x1122,
            timestamp: 1_700_000_000_000,
        };

        assert_eq!(Request::read(&REQUEST), Ok(request));
        assert_eq!(request.write(), REQUEST);
    }

    #[test]
    fn a_request_may_leave_out_what_is_held_and_metadata_but_not_end_in_them() {
        for len in 0..REQUEST.len() {
            let read = Request::read(&REQUEST[..len]);

            let complete = (8..10).contains(&len) || len >= 29;
            assert_eq!(read.is_ok(), complete, "{len}");
            if let Ok(request) = read {
                assert_eq!(request.metadata.is_empty(), len < 10, "{len}");
            }
        }
    }

    /// The packets the reference's controller sent are read, and written again with its signatures.
    #[test]
    fn the_references_chunks_are_read_and_written() {
        let vectors = load("config_chunks.json");
        let packets = vectors["reference_sender_packets"].as_array().unwrap();
        assert_eq!(packets.len(), 2);

        for packet in packets {
            let payload = bytes(&packet["payload"]);
            let body = if packet["verb"] == 3 { &payload[9..] } else { &payload[..] };

            let chunk = Chunk::read(body, 0).unwrap();
            let signed = chunk.signed.unwrap();
            let written = write_chunks(NETWORK, chunk.update_id, chunk.data, |message| {
                assert_eq!(message, signed.message);
                *signed.signature
            });

            assert_eq!((chunk.network, chunk.index, chunk.fast_propagate), (NETWORK, 0, false));
            assert!(written.eq([body]));
        }
    }

    #[test]
    fn the_references_chunks_make_its_dictionary() {
        let vectors = load("config_chunks.json");
        let bodies: Vec<_> = vectors["chunks"].as_array().unwrap().iter().map(bytes).collect();
        let chunks: Vec<_> = bodies.iter().map(|body| Chunk::read(body, 0).unwrap()).collect();

        let mut dictionary = Vec::new();
        for chunk in &chunks {
            assert_eq!(chunk.index as usize, dictionary.len());
            assert_eq!(chunk.update_id, 0x1122_3344_5566_7788);
            dictionary.put(chunk.data);
        }

        assert_eq!(dictionary, bytes(&vectors["dictionary"]));
        assert!(chunks.iter().all(|chunk| chunk.total_len as usize == dictionary.len()));
        let ids = chunks.iter().map(|chunk| chunk.signed.unwrap().chunk_id());
        assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), chunks.len());
    }

    /// A chunk of two bytes, at its place in a dictionary of five.
    fn chunk(index: u32, kind: u8, signature_len: u16) -> Vec<u8> {
        let mut body = hex!("3f6ea8ef00000001 0002 6162 01 1122334455667788 00000005").to_vec();
        body.put_u32(index);
        body.put_u8(kind);
        body.put_u16(signature_len);
        body.put(&[0x5a; 96]);
        body
    }

    #[test]
    fn a_chunk_lies_within_its_configuration_and_is_signed_in_the_one_way() {
        let good = chunk(3, 1, 96);
        assert!(Chunk::read(&good, 0).unwrap().fast_propagate);

        for bad in [chunk(4, 1, 96), chunk(u32::MAX, 1, 96), chunk(3, 2, 96), chunk(3, 1, 64)] {
            assert!(Chunk::read(&bad, 0).is_err());
        }
    }

    #[test]
    fn a_chunk_that_ends_after_its_data_is_a_whole_configuration() {
        let body = chunk(3, 1, 96);
        let data_end = 12;

        for len in 0..body.len() {
            assert_eq!(Chunk::read(&body[..len], 7).is_ok(), len == data_end, "{len}");
        }
        let legacy = Chunk::read(&body[..data_end], 7).unwrap();
        assert_eq!((legacy.update_id, legacy.total_len, legacy.index), (7, 2, 0));
        assert_eq!((legacy.data, legacy.signed), (b"ab".as_slice(), None));
    }

    /// From spec 03 §3.5.
    #[test]
    fn a_configuration_is_acknowledged_in_the_name_of_an_echo() {
        assert_eq!(
            acknowledge(1, NETWORK, 2),
            hex!("08 0000000000000001 3f6ea8ef00000001 0000000000000002")
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            network: u64,
            update_id in 1_u64..,
            dictionary in prop::collection::vec(any::<u8>(), 0..30_000),
        ) {
            let sign = |message: &[u8]| [message.len() as u8; 96];
            let mut read = Vec::new();

            for body in write_chunks(NetworkId(network), update_id, &dictionary, sign) {
                let chunk = Chunk::read(&body, 0).unwrap();
                let signed = chunk.signed.unwrap();

                prop_assert_eq!((chunk.network.0, chunk.update_id), (network, update_id));
                prop_assert_eq!(chunk.index as usize, read.len());
                prop_assert_eq!(*signed.signature, sign(signed.message));
                read.put(chunk.data);
            }
            prop_assert_eq!(read, dictionary);
        }

        #[test]
        fn no_input_panics(body: Vec<u8>, at in 0..REQUEST.len()) {
            for body in [&body, &[&REQUEST[..at], &body].concat()] {
                let _ = Request::read(body);
                let _ = Chunk::read(body, 0);
            }
        }
    }
}
