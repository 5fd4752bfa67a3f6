//! A descriptor the program hands over, with one packet to each read and write: a TUN device it
//! has opened and configured, or one end of a socket pair.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use zt_protocol::transmit::{Frame, PortMode};

use super::device::{PortError, ReadBatch, ethernet_header};

/// A descriptor through which a program exchanges packets with a network.
///
/// Each read gives, and each write takes, one IP packet or Ethernet frame. The descriptor is made
/// non-blocking, and so is every duplicate of it.
#[derive(Debug)]
pub struct Descriptor {
    /// The descriptor, which the node closes.
    pub fd: OwnedFd,
    /// What is exchanged.
    pub mode: PortMode,
    /// What stands in front of each packet.
    pub framing: Framing,
}

/// What stands in front of each packet on a descriptor.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Framing {
    /// Nothing.
    #[default]
    Plain,
    /// The address family as 4 bytes, big-endian, as on utun devices of Apple's systems.
    AddressFamily,
    /// The 10 bytes of `struct virtio_net_hdr`, as on Linux devices with `IFF_VNET_HDR`. Offloads
    /// are not used: they have to be off (`TUNSETOFFLOAD` 0, as it is unless set).
    Virtio,
}

/// Apple's address families (`sys/socket.h`).
const AF_INET: [u8; 4] = [0, 0, 0, 2];
const AF_INET6: [u8; 4] = [0, 0, 0, 30];

/// A header that says: one packet, checksums complete.
const NO_OFFLOAD: [u8; 10] = [0; 10];

/// Where `struct virtio_net_hdr` says what has to be segmented.
const GSO_TYPE_AT: usize = 1;

impl Framing {
    /// Length of what stands in front, in bytes.
    const fn len(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::AddressFamily => AF_INET.len(),
            Self::Virtio => NO_OFFLOAD.len(),
        }
    }

    /// Returns what to put in front of a packet.
    fn header(self, ethertype: u16) -> &'static [u8] {
        match self {
            Self::Plain => &[],
            Self::AddressFamily if ethertype == 0x86dd => &AF_INET6,
            Self::AddressFamily => &AF_INET,
            Self::Virtio => &NO_OFFLOAD,
        }
    }

    /// Returns whether what stands in front says that one packet follows.
    fn is_one_packet(self, header: &[u8]) -> bool {
        self != Self::Virtio || header.get(GSO_TYPE_AT) == Some(&0)
    }
}

/// A descriptor in use.
pub(crate) struct DescriptorPort {
    io: AsyncFd<File>,
    mode: PortMode,
    framing: Framing,
}

impl DescriptorPort {
    /// Begins to use a descriptor.
    ///
    /// # Errors
    ///
    /// [`PortError::Io`] if the system cannot wait for it, as for files.
    pub(crate) fn open(descriptor: Descriptor) -> Result<Self, PortError> {
        let Descriptor { fd, mode, framing } = descriptor;
        // The flag is the same for whatever a descriptor stands for.
        let fd = Socket::from(fd);
        fd.set_nonblocking(true)?;
        let file = File::from(OwnedFd::from(fd));
        // SAFETY: the file keeps its descriptor open until it is dropped, and it is dropped by
        // `AsyncFd` only, which lends it as a shared reference.
        let io = unsafe { AsyncFd::register(file) }.map_err(io::Error::from)?;
        Ok(Self { io, mode, framing })
    }

    /// Returns what is exchanged.
    pub(crate) const fn mode(&self) -> PortMode {
        self.mode
    }

    /// Waits until there is something to read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is reported by the read that follows.
        self.io.poll_read_ready(cx).map(drop)
    }

    /// Reads what the host sends into `batch`, which is empty if there is nothing.
    ///
    /// # Errors
    ///
    /// The other end is gone.
    pub(crate) fn read(&self, batch: &mut ReadBatch) -> io::Result<()> {
        self.fill(batch, |into| self.io.try_io(Interest::READABLE, |file| read_one(file, into)))
    }

    /// Reads what is left, whether or not it has been [waited](Self::poll_readable) for. It cannot
    /// be waited for afterwards.
    ///
    /// # Errors
    ///
    /// The other end is gone.
    pub(crate) fn drain(&self, batch: &mut ReadBatch) -> io::Result<()> {
        self.fill(batch, |into| read_one(self.io.get_ref(), into))
    }

    fn fill(
        &self,
        batch: &mut ReadBatch,
        mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let front = self.framing.len();
        let filled = batch.fill_by(|room| {
            let mut header = [0; NO_OFFLOAD.len()];
            let header = &mut header[..front];
            let len = read(&mut [IoSliceMut::new(header), IoSliceMut::new(room)])?;
            match len.checked_sub(front) {
                // What is not one packet is read as one of no bytes, which is no packet.
                Some(len) if len > 0 => {
                    Ok(if self.framing.is_one_packet(header) { len } else { 0 })
                }
                Some(_) | None => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        });
        match filled {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// Hands a frame to the host. Returns whether it was taken.
    pub(crate) fn push(&self, frame: &Frame<'_>) -> bool {
        let front = self.framing.header(frame.ethertype);
        let ethernet = match self.mode {
            PortMode::L2 => Some(ethernet_header(frame)),
            PortMode::L3 => None,
        };
        let ethernet = ethernet.as_ref().map_or(&[][..], |header| header);
        let parts = [front, ethernet, frame.payload].map(IoSlice::new);
        // Waiting for a program that does not keep up would hold up the others.
        self.io.get_ref().write_vectored(&parts).is_ok()
    }
}

fn read_one(mut file: &File, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    file.read_vectored(into)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use zt_protocol::address::Mac;

    use super::*;

    fn pair(mode: PortMode, framing: Framing) -> (UnixDatagram, DescriptorPort) {
        let (host, node) = UnixDatagram::pair().unwrap();
        host.set_nonblocking(true).unwrap();
        let descriptor = Descriptor { fd: node.into(), mode, framing };
        (host, DescriptorPort::open(descriptor).unwrap())
    }

    fn frame(ethertype: u16) -> Frame<'static> {
        Frame { destination: Mac::BROADCAST, source: Mac::ZERO, ethertype, payload: b"packet" }
    }

    fn received(host: &UnixDatagram) -> Vec<u8> {
        let mut bytes = [0; 100];
        let len = host.recv(&mut bytes).unwrap();
        bytes[..len].to_vec()
    }

    async fn read(port: &DescriptorPort) -> io::Result<Vec<Vec<u8>>> {
        std::future::poll_fn(|cx| port.poll_readable(cx)).await;
        let mut batch = ReadBatch::new();
        port.read(&mut batch)?;
        Ok(std::iter::from_fn(|| batch.next().map(<[u8]>::to_vec)).collect())
    }

    #[tokio::test]
    async fn each_framing_puts_its_header_in_front() {
        let (host, port) = pair(PortMode::L3, Framing::Plain);
        assert!(port.push(&frame(0x0800)));
        assert_eq!(received(&host), b"packet");

        let (host, port) = pair(PortMode::L3, Framing::AddressFamily);
        assert!(port.push(&frame(0x0800)) && port.push(&frame(0x86dd)));
        assert_eq!(received(&host), b"\0\0\0\x02packet");
        assert_eq!(received(&host), b"\0\0\0\x1epacket");

        let (host, port) = pair(PortMode::L2, Framing::Virtio);
        assert!(port.push(&frame(0x0800)));
        assert_eq!(received(&host).len(), 10 + 14 + 6);
    }

    #[tokio::test]
    async fn packets_are_read_without_what_stands_in_front() {
        let (host, port) = pair(PortMode::L3, Framing::AddressFamily);
        host.send(b"\0\0\0\x02one").unwrap();
        host.send(b"\0\0\0\x1etwo").unwrap();
        assert_eq!(read(&port).await.unwrap(), [b"one", b"two"]);

        let (host, port) = pair(PortMode::L3, Framing::Virtio);
        let segmented = [&[0, 1][..], &[0; 8], b"many"].concat();
        host.send(&segmented).unwrap();
        host.send(&[&[0; 10][..], b"one"].concat()).unwrap();
        assert_eq!(read(&port).await.unwrap(), [&b""[..], b"one"]);
    }

    #[tokio::test]
    async fn a_packet_without_its_header_ends_the_port() {
        let (host, port) = pair(PortMode::L3, Framing::AddressFamily);
        host.send(b"\0\0").unwrap();

        assert!(read(&port).await.is_err());
    }

    #[tokio::test]
    async fn a_host_that_does_not_read_loses_packets() {
        let (_host, port) = pair(PortMode::L3, Framing::Plain);

        let taken = (0..10_000).take_while(|_| port.push(&frame(0x0800))).count();

        assert!((1..10_000).contains(&taken), "{taken}");
    }

    #[tokio::test]
    async fn a_file_is_no_port() {
        let file = tempfile::tempfile().unwrap();
        let descriptor =
            Descriptor { fd: file.into(), mode: PortMode::L3, framing: Framing::Plain };

        assert!(DescriptorPort::open(descriptor).is_err());
    }
}
