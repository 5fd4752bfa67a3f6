//! A TUN or TAP interface, read and written in batches.

use std::collections::BTreeSet;
use std::io;
use std::task::{Context, Poll};

use tun_rs::AsyncDevice;
use zt_protocol::address::{Mac, MulticastGroup};
use zt_protocol::plan::TunPlan;
use zt_protocol::transmit::{Frame, PortMode};

use super::interface::Interface;
use crate::limits::{
    INTERFACE_FRAME_LEN_MAX, INTERFACE_READ_FRAMES, INTERFACE_WRITE_FRAMES_HIGH,
    INTERFACE_WRITE_FRAMES_MAX, SEND_PATIENCE,
};

/// Length of an Ethernet header, in bytes.
const ETHERNET_HEADER_LEN: usize = 14;

/// Room in front of a frame for the header the kernel reads offload hints from, in bytes.
const HINTS_LEN: usize = 10;

/// A super packet and its hints, in bytes.
const SUPER_PACKET_LEN: usize = HINTS_LEN + 65_535;

/// Why a network has no interface.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The process lacks the right.
    #[error(
        "no right to open a virtual interface: run as root, or grant it once by \
         `setcap cap_net_admin+ep` on this program, or go without an interface"
    )]
    NotPermitted,
    /// The kernel does not know TUN.
    #[error(
        "this system has no /dev/net/tun: load the kernel module `tun`, or, in a container, pass \
         the device in"
    )]
    NoTun,
    /// There is an interface of that name that is another program's, or no virtual one.
    #[error("the interface {0} is taken: choose another name")]
    NameInUse(String),
    /// The name is too long or empty.
    #[error("{0:?} is no name for an interface: 1 to 15 letters, digits, - or _")]
    BadName(String),
    /// This version makes no interfaces on this system.
    #[error("on this system an interface has to be opened by the program that uses the node")]
    Unsupported,
    /// Anything else.
    #[error("cannot open a virtual interface: {0}")]
    Io(#[from] io::Error),
}

/// An interface of this machine that leads into a network.
pub(crate) struct Device {
    io: AsyncDevice,
    mode: PortMode,
    /// `None` if whoever made the interface looks after its addresses and routes.
    interface: Option<Interface>,
    writes: WriteBatch,
}

impl Device {
    /// Creates an interface, which lasts as long as the value returned.
    ///
    /// `mac` is the hardware address of an interface for frames; one for packets has none.
    ///
    /// # Errors
    ///
    /// [`PortError`].
    pub(crate) fn create(name: &str, mode: PortMode, mac: Mac) -> Result<Self, PortError> {
        let (io, interface) = Interface::create(name, mode, mac)?;
        Ok(Self { io, mode, interface: Some(interface), writes: WriteBatch::default() })
    }

    /// Returns the interface's name, if this node has made it.
    pub(crate) fn name(&self) -> Option<&str> {
        self.interface.as_ref().map(Interface::name)
    }

    /// Returns the number by which the kernel knows the interface, if this node has made it.
    pub(crate) fn index(&self) -> Option<u32> {
        self.interface.as_ref().map(Interface::index)
    }

    /// Returns whether a default route of IPv4 and one of IPv6 lead through the interface, as far
    /// as this node has set them.
    pub(crate) fn default_routes(&self) -> (bool, bool) {
        self.interface.as_ref().map(Interface::default_routes).unwrap_or_default()
    }

    /// Returns what is exchanged.
    pub(crate) const fn mode(&self) -> PortMode {
        self.mode
    }

    /// Brings the interface, if this node has made it, into the state `plan` says.
    pub(crate) fn configure(&mut self, plan: &TunPlan) {
        if let Some(interface) = &mut self.interface {
            interface.configure(&self.io, plan);
        }
    }

    /// Returns the multicast groups this machine listens to on the interface, if this node has made
    /// it.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub(crate) fn groups(&self) -> io::Result<BTreeSet<MulticastGroup>> {
        let interface = self.interface.as_ref();
        interface.map_or_else(|| Ok(BTreeSet::new()), |interface| interface.groups(self.mode))
    }

    /// Gives back the memory only load needs.
    pub(crate) fn trim(&mut self) {
        self.writes.trim();
    }

    /// Waits until there is something to read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is reported by the read that follows.
        self.io.poll_readable(cx).map(drop)
    }

    /// Reads what the host sends into `batch`, which is empty if there is nothing.
    ///
    /// # Errors
    ///
    /// The interface is gone.
    pub(crate) fn read(&self, batch: &mut ReadBatch) -> io::Result<()> {
        match batch.fill(&self.io) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            // A super packet of more segments than there is room for, or one the kernel garbled.
            Err(error) if error.raw_os_error().is_none() => {
                log::debug!(interface:? = self.name(), error:%; "dropped a packet");
                Ok(())
            }
            result => result,
        }
    }

    /// Queues a frame for the host. Returns whether there was room.
    pub(crate) fn push(&mut self, frame: &Frame<'_>) -> bool {
        match self.mode {
            PortMode::L3 => self.writes.push(&[frame.payload]),
            PortMode::L2 => self.writes.push(&[&ethernet_header(frame), frame.payload]),
        }
    }

    /// Returns whether queued frames should be written before more are queued.
    pub(crate) const fn is_filling(&self) -> bool {
        self.writes.used >= INTERFACE_WRITE_FRAMES_HIGH
    }

    /// Hands all queued frames to the host; returns how many it did not take.
    pub(crate) async fn flush(&mut self) -> u64 {
        let frames = self.writes.used;
        if frames == 0 {
            return 0;
        }
        // The kernel takes frames at once; only an interface that is down could keep us waiting.
        match tokio::time::timeout(SEND_PATIENCE, self.writes.write(&self.io)).await {
            Ok(Ok(())) => 0,
            Ok(Err(error)) => {
                log::debug!(interface:? = self.name(), error:%; "frames are not taken");
                1
            }
            Err(_) => frames as u64,
        }
    }
}

/// Returns the header an interface for frames wants.
pub(crate) fn ethernet_header(frame: &Frame<'_>) -> [u8; ETHERNET_HEADER_LEN] {
    let mut header = [0; ETHERNET_HEADER_LEN];
    header[..6].copy_from_slice(&frame.destination.to_bytes());
    header[6..12].copy_from_slice(&frame.source.to_bytes());
    header[12..].copy_from_slice(&frame.ethertype.to_be_bytes());
    header
}

/// Reads an Ethernet frame as an interface for frames gives it; `None` if it is too short.
pub(crate) fn parse_ethernet(bytes: &[u8]) -> Option<Frame<'_>> {
    let (header, payload) = bytes.split_first_chunk::<ETHERNET_HEADER_LEN>()?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
    Some(Frame {
        destination: Mac::from([d0, d1, d2, d3, d4, d5]),
        source: Mac::from([s0, s1, s2, s3, s4, s5]),
        ethertype: u16::from_be_bytes([t0, t1]),
        payload,
    })
}

/// What one read of an interface gave.
pub(crate) struct ReadBatch {
    /// A super packet as the kernel hands it out.
    #[cfg(target_os = "linux")]
    whole: Box<[u8]>,
    /// Room for every frame. The pages of those that never come are never touched.
    bytes: Box<[u8]>,
    lens: [usize; INTERFACE_READ_FRAMES],
    frames: usize,
    next: usize,
}

impl ReadBatch {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            whole: vec![0; SUPER_PACKET_LEN].into(),
            bytes: vec![0; INTERFACE_READ_FRAMES * INTERFACE_FRAME_LEN_MAX].into(),
            lens: [0; INTERFACE_READ_FRAMES],
            frames: 0,
            next: 0,
        }
    }

    /// Empties the batch, and gives back the pages that were touched.
    pub(crate) fn trim(&mut self) {
        *self = Self::new();
    }

    /// Returns the next IP packet or Ethernet frame.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        let index = self.next;
        if index == self.frames {
            return None;
        }
        self.next = index + 1;
        let start = index * INTERFACE_FRAME_LEN_MAX;
        Some(&self.bytes[start..start + self.lens[index]])
    }

    /// Returns whether there is nothing in it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.frames == 0
    }

    #[cfg(target_os = "linux")]
    fn fill(&mut self, io: &AsyncDevice) -> io::Result<()> {
        // Of single packets several are made one batch.
        if !io.tcp_gso() {
            return self.fill_by(|room| io.try_recv(room));
        }
        // One super packet is a batch.
        (self.frames, self.next) = (0, 0);
        let mut rooms = self.bytes.chunks_exact_mut(INTERFACE_FRAME_LEN_MAX);
        let mut rooms: [&mut [u8]; INTERFACE_READ_FRAMES] =
            std::array::from_fn(|_| rooms.next().unwrap_or_default());
        self.frames = io.try_recv_multiple(&mut self.whole, &mut rooms, &mut self.lens, 0)?;
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn fill(&mut self, io: &AsyncDevice) -> io::Result<()> {
        self.fill_by(|room| io.try_recv(room))
    }

    /// Makes a batch of what `read` puts into the room it is lent, until it fails or there is no
    /// more room. What was read before it failed counts; it will fail again.
    pub(super) fn fill_by(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        (self.frames, self.next) = (0, 0);
        for (room, len) in self.bytes.chunks_exact_mut(INTERFACE_FRAME_LEN_MAX).zip(&mut self.lens)
        {
            match read(room) {
                Ok(read) => *len = read,
                Err(_) if self.frames > 0 => break,
                Err(error) => return Err(error),
            }
            self.frames += 1;
        }
        Ok(())
    }
}

/// Frames waiting to be written to an interface.
#[derive(Default)]
struct WriteBatch {
    /// Frames, each after room for hints. Those beyond `used` keep their memory for later ones.
    frames: Vec<Vec<u8>>,
    used: usize,
    #[cfg(target_os = "linux")]
    coalescing: Option<Box<tun_rs::GROTable>>,
}

impl WriteBatch {
    fn push(&mut self, parts: &[&[u8]]) -> bool {
        let is_empty = parts.iter().all(|part| part.is_empty());
        if self.used == INTERFACE_WRITE_FRAMES_MAX || is_empty {
            return false;
        }
        if self.used == self.frames.len() {
            // Frames are joined only where there is room for it. Until they are, nothing but the
            // first page of it is touched.
            self.frames.push(Vec::with_capacity(SUPER_PACKET_LEN));
        }
        let frame = &mut self.frames[self.used];
        frame.clear();
        frame.extend_from_slice(&[0; HINTS_LEN]);
        for part in parts {
            frame.extend_from_slice(part);
        }
        self.used += 1;
        true
    }

    /// Gives back the room no frame waits in.
    fn trim(&mut self) {
        self.frames.truncate(self.used);
        self.frames.shrink_to_fit();
        #[cfg(target_os = "linux")]
        {
            self.coalescing = None;
        }
    }

    /// Writes all frames, those of one TCP flow as one super packet.
    #[cfg(target_os = "linux")]
    async fn write(&mut self, io: &AsyncDevice) -> io::Result<()> {
        let used = std::mem::take(&mut self.used);
        let table = self.coalescing.get_or_insert_default();
        io.send_multiple(table, &mut self.frames[..used], HINTS_LEN).await.map(drop)
    }

    #[cfg(not(target_os = "linux"))]
    async fn write(&mut self, io: &AsyncDevice) -> io::Result<()> {
        let used = std::mem::take(&mut self.used);
        for frame in &self.frames[..used] {
            io.send(&frame[HINTS_LEN..]).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ethernet_headers_are_read_as_they_are_written() {
        let frame = Frame {
            destination: Mac::from([1, 2, 3, 4, 5, 6]),
            source: Mac::from([7, 8, 9, 10, 11, 12]),
            ethertype: 0x86dd,
            payload: b"payload",
        };
        let bytes = [&ethernet_header(&frame)[..], frame.payload].concat();

        assert_eq!(parse_ethernet(&bytes), Some(frame));
        assert_eq!(parse_ethernet(&bytes[..13]), None);
    }

    #[test]
    fn a_full_batch_takes_no_more() {
        let mut writes = WriteBatch::default();

        for _ in 0..INTERFACE_WRITE_FRAMES_MAX {
            assert!(writes.push(&[b"frame"]));
        }

        assert!(!writes.push(&[b"frame"]));
    }
}
