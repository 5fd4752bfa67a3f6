//! A pcapng file of what members see of their network, for Wireshark and its relatives.
//!
//! ```text
//! +----------------+---------------------+---------------------+-----------------+--
//! | section header | interface: member a | interface: member b | enhanced packet | ..
//! +----------------+---------------------+---------------------+-----------------+--
//!
//! block:  | type | length | body .. | padding | options .. | length |
//! ```
//!
//! Every length counts the whole block; everything is padded to 4 bytes. Source: pcapng,
//! draft-ietf-opsawg-pcapng, sections 3 and 4.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Packets are IPv4 or IPv6, with nothing before their header.
const LINKTYPE_RAW: u16 = 101;

/// Bytes kept of each packet: all headers, and all of a ping. A transfer at full speed would fill
/// a disk otherwise.
const SNAP_LEN: usize = 128;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

/// Tells readers the byte order of the file, which is little-endian here.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

const OPTION_END: u16 = 0;
const OPTION_INTERFACE_NAME: u16 = 2;
const OPTION_INTERFACE_RESOLUTION: u16 = 9;
const OPTION_PACKET_FLAGS: u16 = 2;

/// Timestamps are in units of 10⁻⁹ s.
const NANOSECONDS: u8 = 9;

/// Which way a packet goes, as seen by the member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    /// To the member.
    In,
    /// From the member.
    Out,
}

/// A file that any number of members write to.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Mutex<Shared>>);

/// One member's place in the file.
pub(crate) struct Tap {
    capture: Capture,
    /// The member's number, in the order of the interface blocks.
    interface: u32,
}

struct Shared {
    writer: Writer<BufWriter<File>>,
    /// What went wrong first, if anything did; nothing is written after it.
    result: io::Result<()>,
}

impl Capture {
    /// Creates the file, or empties it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let writer = Writer::new(BufWriter::new(File::create(path)?))?;
        Ok(Self(Arc::new(Mutex::new(Shared { writer, result: Ok(()) }))))
    }

    /// Adds a member.
    pub(crate) fn tap(&self, name: &str) -> Tap {
        let interface = self.write(|writer| writer.interface(name)).unwrap_or(0);
        Tap { capture: self.clone(), interface }
    }

    /// Writes out what is buffered, and says what has gone wrong since the file was created.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.write(|writer| writer.out.flush());
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut shared.result, Ok(()))
    }

    fn write<T>(
        &self,
        write: impl FnOnce(&mut Writer<BufWriter<File>>) -> io::Result<T>,
    ) -> Option<T> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.result.is_err() {
            return None;
        }
        write(&mut shared.writer).map_err(|error| shared.result = Err(error)).ok()
    }
}

impl Tap {
    /// Writes one packet, as of this moment.
    pub(crate) fn packet(&self, direction: Direction, packet: &[u8]) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX);
        let interface = self.interface;
        self.capture.write(|writer| writer.packet(interface, nanos, direction, packet));
    }
}

/// Writes blocks.
struct Writer<W> {
    out: W,
    interfaces: u32,
    /// The block being made.
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a file.
    fn new(out: W) -> io::Result<Self> {
        let mut writer = Self { out, interfaces: 0, block: Vec::new() };
        writer.block(SECTION_HEADER, |body| {
            body.extend(BYTE_ORDER.to_le_bytes());
            body.extend(1_u16.to_le_bytes()); // major version
            body.extend(0_u16.to_le_bytes()); // minor version
            body.extend((-1_i64).to_le_bytes()); // section length: to the end of the file
        })?;
        Ok(writer)
    }

    /// Adds an interface; returns its number.
    fn interface(&mut self, name: &str) -> io::Result<u32> {
        self.block(INTERFACE_DESCRIPTION, |body| {
            body.extend(LINKTYPE_RAW.to_le_bytes());
            body.extend(0_u16.to_le_bytes()); // reserved
            body.extend((SNAP_LEN as u32).to_le_bytes());
            option(body, OPTION_INTERFACE_NAME, name.as_bytes());
            option(body, OPTION_INTERFACE_RESOLUTION, &[NANOSECONDS]);
            option(body, OPTION_END, &[]);
        })?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Adds a packet that passed `interface` so many nanoseconds after 1970 began.
    fn packet(
        &mut self,
        interface: u32,
        nanos: u64,
        direction: Direction,
        packet: &[u8],
    ) -> io::Result<()> {
        let kept = &packet[..packet.len().min(SNAP_LEN)];
        let flags: u32 = match direction {
            Direction::In => 1,
            Direction::Out => 2,
        };
        self.block(ENHANCED_PACKET, |body| {
            body.extend(interface.to_le_bytes());
            body.extend(((nanos >> 32) as u32).to_le_bytes());
            body.extend((nanos as u32).to_le_bytes());
            body.extend((kept.len() as u32).to_le_bytes());
            body.extend((packet.len() as u32).to_le_bytes());
            body.extend(kept);
            pad(body);
            option(body, OPTION_PACKET_FLAGS, &flags.to_le_bytes());
            option(body, OPTION_END, &[]);
        })
    }

    /// Writes a block of which `fill` makes the body, a multiple of 4 bytes long.
    fn block(&mut self, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        const AROUND_BODY: usize = 12;

        self.block.clear();
        fill(&mut self.block);
        let len = (self.block.len() + AROUND_BODY) as u32;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&len.to_le_bytes())
    }
}

/// Appends an option. All of ours are short.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

/// Pads to the next multiple of 4 bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One interface named `a`, and one packet of 5 bytes from it, byte by byte.
    #[test]
    fn blocks_are_laid_out_as_the_format_says() {
        let mut writer = Writer::new(Vec::new()).unwrap();

        let interface = writer.interface("a").unwrap();
        writer.packet(interface, 0x1122_3344_5566_7788, Direction::Out, b"\x45ping").unwrap();

        #[rustfmt::skip]
        let expected: &[&[u8]] = &[
            // section header
            &[0x0a, 0x0d, 0x0d, 0x0a], &[28, 0, 0, 0],
            &[0x4d, 0x3c, 0x2b, 0x1a], &[1, 0], &[0, 0], &[0xff; 8],
            &[28, 0, 0, 0],
            // interface description
            &[1, 0, 0, 0], &[40, 0, 0, 0],
            &[101, 0], &[0, 0], &[128, 0, 0, 0],
            &[2, 0], &[1, 0], b"a\0\0\0", // its name
            &[9, 0], &[1, 0], &[9, 0, 0, 0], // its resolution
            &[0, 0], &[0, 0],
            &[40, 0, 0, 0],
            // enhanced packet
            &[6, 0, 0, 0], &[52, 0, 0, 0],
            &[0, 0, 0, 0], // interface
            &[0x44, 0x33, 0x22, 0x11], &[0x88, 0x77, 0x66, 0x55],
            &[5, 0, 0, 0], &[5, 0, 0, 0], b"\x45ping\0\0\0",
            &[2, 0], &[4, 0], &[2, 0, 0, 0], // outbound
            &[0, 0], &[0, 0],
            &[52, 0, 0, 0],
        ];
        assert_eq!(writer.out, expected.concat());
    }

    #[test]
    fn the_blocks_of_a_file_lead_from_one_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lab.pcapng");
        let capture = Capture::create(&path).unwrap();
        let (a, b) = (capture.tap("a"), capture.tap("b"));
        for len in [20, 21, 22, 23, 127, 128, 129, 2_800] {
            a.packet(Direction::Out, &vec![0x45; len]);
            b.packet(Direction::In, &vec![0x45; len]);
        }
        capture.finish().unwrap();

        let file = std::fs::read(&path).unwrap();

        let kinds: Vec<u32> = blocks(&file).iter().map(|&(kind, _)| kind).collect();
        assert_eq!(kinds[..3], [SECTION_HEADER, INTERFACE_DESCRIPTION, INTERFACE_DESCRIPTION]);
        assert_eq!(kinds[3..], [ENHANCED_PACKET; 16]);
        let (_, longest) = blocks(&file)[18];
        let word = |index: usize| u32_at(longest, 4 * index);
        assert_eq!(
            (word(0), word(3), word(4)),
            (1, 128, 2_800),
            "interface, kept, original length"
        );
    }

    /// What goes wrong while nobody looks is said at the end.
    #[test]
    fn a_full_disk_is_reported() {
        let Ok(capture) = Capture::create(Path::new("/dev/full")) else { return };

        capture.tap("a").packet(Direction::In, b"packet");

        assert_eq!(capture.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    /// Reads a file back: type and body of each block.
    fn blocks(mut file: &[u8]) -> Vec<(u32, &[u8])> {
        let mut blocks = Vec::new();
        while !file.is_empty() {
            let len = u32_at(file, 4) as usize;
            let (block, rest) = file.split_at(len);
            assert_eq!(len % 4, 0);
            assert_eq!(u32_at(block, len - 4) as usize, len, "the length is said twice");
            blocks.push((u32_at(block, 0), &block[8..len - 4]));
            file = rest;
        }
        blocks
    }

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }
}
