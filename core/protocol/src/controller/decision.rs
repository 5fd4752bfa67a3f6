//! Who is let onto a network.
//!
//! Source: spec 04 §2.2, steps 3 to 7.

use super::member::{Authority, MemberRecord};
use super::network::NetworkRecord;
use super::session::Asked;
use crate::identity::Identity;
use crate::time::UnixMillis;

/// Why a member gets no configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// Another identity asked first under this address.
    WrongIdentity,
    /// The operator has not authorized it.
    NotAuthorized,
    /// Its user has to log in.
    LoginRequired,
}

/// Decides whether `member` may have a configuration of `network`, and notes why in its record.
///
/// # Errors
///
/// [`Refusal`]. If it is [`Refusal::WrongIdentity`], the record has not changed.
pub(super) fn decide(
    network: &NetworkRecord,
    member: &mut MemberRecord,
    asked: &Asked,
    now: UnixMillis,
) -> Result<(), Refusal> {
    bind(member, &asked.identity)?;
    member.created.get_or_insert(now);
    if let Some(authority) = authority(network, asked, now) {
        member.authorize(authority, now);
    }
    let logged_in = member.sso_exempt || member.authentication_expiry > now.0;
    if network.sso_enabled && !logged_in {
        return Err(Refusal::LoginRequired);
    }
    if !member.is_authorized() {
        return Err(Refusal::NotAuthorized);
    }
    Ok(())
}

/// Binds the record to the first identity that asks, so that another one with the same address
/// cannot take its place.
fn bind(member: &mut MemberRecord, identity: &Identity) -> Result<(), Refusal> {
    match &member.identity {
        None => member.identity = Some(identity.to_string()),
        Some(bound) if bound.parse::<Identity>().is_ok_and(|bound| bound == *identity) => {}
        Some(_) => return Err(Refusal::WrongIdentity),
    }
    Ok(())
}

/// Returns what authorizes those whom the operator has not authorized.
fn authority<'a>(
    network: &NetworkRecord,
    asked: &'a Asked,
    now: UnixMillis,
) -> Option<Authority<'a>> {
    if !network.private {
        return Some(Authority::PublicNetwork);
    }
    let token = asked.metadata.token.as_deref()?;
    let expiry = *network.tokens.get(token)?;
    (expiry == 0 || expiry > now.0).then_some(Authority::Token(token))
}
