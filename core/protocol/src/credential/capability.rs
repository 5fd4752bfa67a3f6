//! Capabilities: rules a member carries with it.
//!
//! ```text
//!  0         8           16   20    22
//!  +---------+-----------+----+-----+----------+-------------+------------+---+------+
//!  | network | timestamp | id | n   | rules .. | max custody | custody .. | 0 | more |
//!  +---------+-----------+----+-----+----------+-------------+------------+---+------+
//!                                                `- 1 .. 7                  `- five bytes
//!
//!  custody: | to (5) | from (5) | signature block |
//! ```
//!
//! The controller hands a capability to a member, who may hand it on if the chain may grow.
//! Everybody in the chain signs the same message, which names no holder.
//!
//! Source: spec 03 §7.3.

use super::{CredentialError, signed};
use crate::address::{Address, NetworkId};
use crate::error::Malformed;
use crate::identity::{Directory, SecretIdentity};
use crate::limits::{CUSTODY_MAX, RULES_PER_CAPABILITY_MAX};
use crate::memory;
use crate::rules::{self, Rule, codec};
use crate::time::UnixMillis;
use crate::wire::cursor::{Put, Reader};

/// A set of rules a member carries with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Capability {
    /// The network it is for.
    pub network: NetworkId,
    /// When it was issued, by the controller's clock.
    pub timestamp: UnixMillis,
    /// Which capability it is.
    pub id: u32,
    /// What it lets through; at most 64.
    pub rules: Vec<Rule>,
    /// How long the chain of custody may be, 1 to 7.
    pub max_custody: u8,
    /// Who handed it to whom, first the controller; at most `max_custody`.
    pub custody: Vec<Custody>,
}

/// One handover of a capability.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Custody {
    /// To whom; never [`Address::NULL`].
    pub to: Address,
    /// By whom, who signed.
    pub from: Address,
    /// The signature; `None` if it is of a type this version does not know.
    pub signature: Option<[u8; 96]>,
}

impl Capability {
    /// Returns what it holds, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        rules::footprint(&self.rules) + memory::of_list(&self.custody)
    }

    /// Issues a capability of the first 64 of `rules` to `member`, who cannot hand it on.
    #[must_use]
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        member: Address,
        timestamp: UnixMillis,
        id: u32,
        mut rules: Vec<Rule>,
    ) -> Self {
        rules.truncate(RULES_PER_CAPABILITY_MAX);
        let mut capability =
            Self { network, timestamp, id, rules, max_custody: 1, custody: Vec::new() };
        let signature = Some(signed::sign(&capability.body(), controller));
        capability.custody.push(Custody { to: member, from: controller.address(), signature });
        capability
    }

    /// Reads a capability from the start of `bytes`; returns it and its length.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes end early, there are more than 64 rules, a rule is malformed,
    /// the longest chain is not 1 to 7, or the chain is longer than that.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new("capability", bytes);
        let network = reader.network()?;
        let timestamp = UnixMillis(reader.u64()?);
        let id = reader.u32()?;

        let count = usize::from(reader.u16()?);
        if count > RULES_PER_CAPABILITY_MAX {
            let max = RULES_PER_CAPABILITY_MAX;
            return Err(Malformed::TooLong { what: "list of a capability's rules", max });
        }
        let mut rules = Vec::with_capacity(count);
        for _ in 0..count {
            rules.push(codec::read(&mut reader)?);
        }

        let max_custody = reader.u8()?;
        if !(1..=CUSTODY_MAX).contains(&usize::from(max_custody)) {
            let field = "longest chain of custody";
            return Err(Malformed::Undefined { field, value: u64::from(max_custody) });
        }
        let custody = read_custody(&mut reader, usize::from(max_custody))?;
        signed::skip_more(&mut reader)?;

        let capability = Self { network, timestamp, id, rules, max_custody, custody };
        Ok((capability, reader.position()))
    }

    /// Appends the capability to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put(&self.body());
        for custody in &self.custody {
            out.put_address(custody.to);
            out.put_address(custody.from);
            signed::write_signature(custody.signature.as_ref(), out);
        }
        out.put_address(Address::NULL);
        signed::write_no_more(out);
    }

    /// Returns whether the network's controller issued the capability and each holder handed it on
    /// to another, who did not have it before.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; [`UnknownSigner`](CredentialError::UnknownSigner) may pass.
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        for (at, custody) in self.custody.iter().enumerate() {
            if self.custody[..at].iter().any(|earlier| earlier.to == custody.to) {
                return Err(CredentialError::BrokenCustody);
            }
        }
        let body = self.body();
        let mut holder = None;
        for custody in &self.custody {
            match holder {
                None => signed::check_signer(custody.from, self.network)?,
                Some(holder) if custody.from != holder => {
                    return Err(CredentialError::BrokenCustody);
                }
                Some(_) => {}
            }
            signed::check(&body, custody.from, custody.signature.as_ref(), directory)?;
            holder = Some(custody.to);
        }
        holder.map(|_| ()).ok_or(CredentialError::BrokenCustody)
    }

    /// Returns who holds it, [`Address::NULL`] if nobody.
    #[must_use]
    pub fn issued_to(&self) -> Address {
        self.custody.last().map_or(Address::NULL, |last| last.to)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.put_network(self.network);
        body.put_u64(self.timestamp.0);
        body.put_u32(self.id);
        body.put_u16(self.rules.len() as u16);
        for rule in &self.rules {
            codec::write(rule, &mut body);
        }
        body.put_u8(self.max_custody);
        body
    }
}

/// Reads a chain of custody and the null address that ends it.
fn read_custody(reader: &mut Reader<'_>, max: usize) -> Result<Vec<Custody>, Malformed> {
    let mut chain = Vec::with_capacity(max);
    loop {
        let to = reader.address()?;
        if to == Address::NULL {
            return Ok(chain);
        }
        if chain.len() == max {
            return Err(Malformed::TooLong { what: "chain of custody", max });
        }
        let from = reader.address()?;
        chain.push(Custody { to, from, signature: signed::read_signature(reader)? });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{Known, network, node};
    use super::*;
    use crate::rules::Kind;

    fn capability(controller: &SecretIdentity, member: &SecretIdentity) -> Capability {
        let rules = vec![Kind::Ethertype(0x0800).into(), Rule::accept()];
        let (network, now) = (network(controller), UnixMillis(9));
        Capability::issue(controller, network, member.address(), now, 5, rules)
    }

    /// Hands `capability` on from its holder `from` to `to`, if the chain may have two links.
    fn hand_on(capability: &mut Capability, from: &SecretIdentity, to: &SecretIdentity) {
        let signature = Some(signed::sign(&capability.body(), from));
        let link = Custody { to: to.address(), from: from.address(), signature };
        capability.custody.push(link);
    }

    fn written(capability: &Capability) -> Vec<u8> {
        let mut out = Vec::new();
        capability.write(&mut out);
        out
    }

    #[test]
    fn an_issued_capability_verifies_until_it_is_changed() {
        let (controller, member) = (node(1), node(2));
        let capability = capability(&controller, &member);
        let mut changed = capability.clone();
        changed.rules.pop();
        let mut foreign = capability.clone();
        foreign.custody[0].from = member.address();
        let nobodys = Capability { custody: Vec::new(), ..capability.clone() };
        let known = Known(&[&controller, &member]);

        assert_eq!(capability.verify(&known), Ok(()));
        assert_eq!(capability.issued_to(), member.address());
        assert_eq!(
            capability.verify(&Known(&[&member])),
            Err(CredentialError::UnknownSigner(controller.address()))
        );
        assert_eq!(changed.verify(&known), Err(CredentialError::BadSignature));
        assert_eq!(foreign.verify(&known), Err(CredentialError::WrongSigner(member.address())));
        assert_eq!(nobodys.verify(&known), Err(CredentialError::BrokenCustody));
    }

    #[test]
    fn a_capability_is_handed_on_by_its_holder_only() {
        let (controller, first, second) = (node(1), node(2), node(3));
        let mut issued = capability(&controller, &first);
        issued.max_custody = 2;
        issued.custody[0].signature = Some(signed::sign(&issued.body(), &controller));
        let known = Known(&[&controller, &first, &second]);

        let mut handed = issued.clone();
        hand_on(&mut handed, &first, &second);
        assert_eq!(handed.verify(&known), Ok(()));
        assert_eq!(handed.issued_to(), second.address());

        let mut taken = issued.clone();
        hand_on(&mut taken, &second, &second);
        assert_eq!(taken.verify(&known), Err(CredentialError::BrokenCustody));
    }

    #[test]
    fn a_capability_comes_to_nobody_twice() {
        let (controller, first, second) = (node(1), node(2), node(3));
        let known = Known(&[&controller, &first, &second]);
        let mut issued = capability(&controller, &first);
        issued.max_custody = 7;
        issued.custody[0].signature = Some(signed::sign(&issued.body(), &controller));

        let mut kept = issued.clone();
        hand_on(&mut kept, &first, &first);
        assert_eq!(kept.verify(&known), Err(CredentialError::BrokenCustody));

        let mut returned = issued.clone();
        hand_on(&mut returned, &first, &second);
        hand_on(&mut returned, &second, &first);
        assert_eq!(returned.verify(&known), Err(CredentialError::BrokenCustody));

        // A controller may be a member of its own network.
        assert_eq!(capability(&controller, &controller).verify(&known), Ok(()));
    }

    #[test]
    fn a_chain_is_no_longer_than_it_says() {
        let (controller, member) = (node(1), node(2));
        let mut capability = capability(&controller, &member);
        hand_on(&mut capability, &member, &controller);

        let read = Capability::read_prefix(&written(&capability));

        assert!(matches!(read, Err(Malformed::TooLong { max: 1, .. })));
    }

    #[test]
    fn a_capability_is_read_back_and_none_of_its_proper_prefixes_is_one() {
        let capability = capability(&node(1), &node(2));
        let bytes = written(&capability);

        assert_eq!(Capability::read_prefix(&bytes), Ok((capability, bytes.len())));
        for end in 0..bytes.len() {
            assert!(Capability::read_prefix(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(at in 0..160_usize, byte: u8, tail: Vec<u8>) {
            let member = Address::from([2; 5]);
            let custody =
                vec![Custody { to: member, from: member, signature: Some([3; 96]) }];
            let mut bytes = written(&Capability {
                network: NetworkId(1),
                timestamp: UnixMillis(2),
                id: 3,
                rules: vec![Rule::accept(); 2],
                max_custody: 7,
                custody,
            });
            bytes.truncate(at);
            bytes.push(byte);
            bytes.extend(tail);
            if let Ok((_, len)) = Capability::read_prefix(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }
}
