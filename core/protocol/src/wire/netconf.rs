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
