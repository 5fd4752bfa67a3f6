//! Why bytes were refused, and how often.

use core::fmt;

use thiserror::Error;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end before the value does.
    #[error("{what} is truncated: {need} bytes needed, {got} there")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes needed from where the read began.
        need: usize,
        /// Bytes that were left.
        got: usize,
    },
    /// A field holds a value that means nothing.
    #[error("{field} has the undefined value {value}")]
    Undefined {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// A list or text is longer than the protocol or this node allows.
    #[error("{what} is too long: at most {max}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// The limit, in the unit of the thing.
        max: usize,
    },
    /// A field that must be there is missing, or values contradict each other.
    #[error("{what} is missing or inconsistent")]
    Inconsistent {
        /// What is wrong.
        what: &'static str,
    },
}

macro_rules! rejections {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $text:literal;)+) => {
        /// Why something that arrived was dropped.
        ///
        /// Each reason has its own counter in [`Drops`], so an operator can tell a stranger's
        /// noise from a peer with the wrong clock without turning on a log.
        #[derive(Clone, Copy, Debug, Eq, Error, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Rejected {
            $($(#[doc = $doc])+ #[error($text)] $variant,)+
        }

        impl Rejected {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the reason's name, the same in every language.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

rejections! {
    /// The datagram or a body within is not what it claims to be.
    Malformed = "malformed", "the bytes are malformed";
    /// The datagram is too short to be anything.
    TooShort = "too_short", "the datagram is too short";
    /// The packet is longer than the protocol allows.
    TooLong = "too_long", "the packet is longer than the protocol allows";
    /// The packet claims to come from this node itself.
    FromSelf = "from_self", "the packet claims to come from this node";
    /// The source address is one no node may have.
    ReservedSource = "reserved_source", "the source address is reserved";
    /// The cipher suite is unassigned.
    UnknownCipher = "unknown_cipher", "the cipher suite is unassigned";
    /// The authentication tag does not match: corrupt, forged, or made with another key.
    NotAuthentic = "not_authentic", "the authentication tag does not match";
    /// The packet skips encryption on the strength of a trusted path we have not configured.
    UntrustedPath = "untrusted_path", "the trusted path is not configured here";
    /// The user does not want datagrams to go there or come from there.
    Blacklisted = "blacklisted", "the user does not want the physical address to be used";
    /// The sender is not known yet; the packet waits for its identity.
    UnknownSender = "unknown_sender", "the sender is not known yet";
    /// The compressed payload does not decompress.
    BadCompression = "bad_compression", "the compressed payload does not decompress";
    /// A fragment's numbers make no sense.
    BadFragment = "bad_fragment", "the fragment's numbers make no sense";
    /// A part of a packet arrived twice.
    DuplicateFragment = "duplicate_fragment", "the fragment is here already";
    /// An incomplete packet was displaced by others or timed out.
    ReassemblyOverflow = "reassembly_overflow", "an incomplete packet was given up";
    /// The same frame was taken in before.
    Replayed = "replayed", "the frame was taken in before";
    /// The protocol version announced is too old.
    OldProtocol = "old_protocol", "the sender's protocol is too old";
    /// HELLO: the identity is not that of the packet's source, or its address is not derived from it.
    InvalidIdentity = "invalid_identity", "the identity does not belong to the address";
    /// HELLO: another identity is known under this address.
    IdentityCollision = "identity_collision", "another identity holds the address";
    /// Only pinned peers are wanted, and this is none.
    NotPinned = "not_pinned", "only pinned peers are wanted";
    /// The sender asks more often than it may.
    RateLimited = "rate_limited", "the sender asks too often";
    /// An answer would be longer than an address may be sent that has proven nothing.
    Unproven = "unproven", "the address has yet to show that it is the sender's";
    /// An OK to a request that was not made.
    UnexpectedReply = "unexpected_reply", "nothing was asked that this answers";
    /// The packet is for another node and is not relayed.
    NotRelayed = "not_relayed", "the packet is for another node and not relayed";
    /// The packet was relayed too often.
    TooManyHops = "too_many_hops", "the packet was relayed too often";
    /// The packet concerns a network this node is not on.
    UnknownNetwork = "unknown_network", "this node is not on the network";
    /// The sender has not shown that it is a member of the network.
    NotAMember = "not_a_member", "the sender is not an admitted member";
    /// The frame comes from a MAC no device may have, or is not this node's to receive.
    BadFrameAddress = "bad_frame_address", "the frame's addresses are not allowed";
    /// The frame comes from another MAC than the node's that sends it, which is no active bridge.
    ForeignSource = "foreign_source", "only an active bridge may send for other devices";
    /// The network's rules forbid the frame.
    Filtered = "filtered", "the network's rules forbid the frame";
    /// The frame is larger than the interface or the protocol takes.
    FrameTooBig = "frame_too_big", "the frame is too big";
    /// The frame is neither IPv4 nor IPv6 and the port takes only those.
    NotIp = "not_ip", "the port takes only IP packets";
    /// No route or neighbour for the packet's destination.
    NoRoute = "no_route", "there is no route to the destination";
    /// The neighbour has not answered; the packet waits or was displaced.
    Unresolved = "unresolved", "the neighbour has not answered yet";
    /// No path to the peer and the queue for it is full or timed out.
    NoPath = "no_path", "there is no path to the peer";
    /// A credential or chunk is signed wrongly or by the wrong node.
    BadSignature = "bad_signature", "the signature is not valid";
    /// Somebody signed a credential who is not the network's controller.
    WrongSigner = "wrong_signer", "the signer is not the network's controller";
    /// A capability was not handed on from each holder to another.
    BrokenCustody = "broken_custody", "the chain of custody is broken";
    /// A credential, chunk or world is older than, or the same as, what is held.
    Stale = "stale", "what is held is as new or newer";
    /// The request is one this node does not serve.
    NotServed = "not_served", "this node does not serve such requests";
    /// A bounded table or queue is full, or the memory budget is used up.
    Full = "full", "a bounded table or queue is full";
    /// The driver has no room for more datagrams.
    TransmitFull = "transmit_full", "the driver has no room for more datagrams";
    /// The host said that there is no network.
    Offline = "offline", "the host said that there is no network";
}

/// How many times each [`Rejected`] happened.
#[derive(Clone)]
pub struct Drops([u64; Rejected::ALL.len()]);

impl Drops {
    /// Counts `reason` once more.
    pub const fn count(&mut self, reason: Rejected) {
        let counter = &mut self.0[reason as usize];
        *counter = counter.saturating_add(1);
    }

    /// Returns how often `reason` happened.
    #[must_use]
    pub const fn of(&self, reason: Rejected) -> u64 {
        self.0[reason as usize]
    }

    /// Returns the reasons that happened at all, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Rejected, u64)> + '_ {
        Rejected::ALL.iter().map(|&reason| (reason, self.of(reason))).filter(|&(_, n)| n > 0)
    }
}

impl Default for Drops {
    fn default() -> Self {
        Self([0; Rejected::ALL.len()])
    }
}

impl fmt::Debug for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(reason, n)| (reason.name(), n))).finish()
    }
}

impl From<Malformed> for Rejected {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
