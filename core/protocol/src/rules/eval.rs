//! What a list of rules means for frames.
//!
//! Source: spec 03 §8.2.

use super::{Kind, Rule, codec};

/// Codes below this are actions.
const FIRST_MATCH: u8 = 16;

/// What a list of rules says about all frames, as far as this version understands rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Filter {
    /// Every frame is accepted, both ways.
    AcceptAll,
    /// The list cannot be evaluated by this version: nothing may pass.
    Unsupported,
}

impl Filter {
    /// Returns what `rules` say.
    ///
    /// A list accepts everything if its first action that does anything is ACCEPT and no match
    /// comes before it. An empty list drops everything and is not understood either, which comes
    /// to the same.
    #[must_use]
    pub fn of(rules: &[Rule]) -> Self {
        // An action of a later version does nothing.
        let is_idle = |rule: &&Rule| {
            matches!(rule.kind, Kind::Unknown { .. }) && codec::code(&rule.kind) < FIRST_MATCH
        };
        match rules.iter().find(|rule| !is_idle(rule)) {
            Some(Rule { kind: Kind::Accept, .. }) => Self::AcceptAll,
            _ => Self::Unsupported,
        }
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    #[test]
    fn only_lists_that_begin_by_accepting_are_understood() {
        let of = |bytes: &[u8]| Filter::of(&codec::read_list(bytes, 10).unwrap());

        assert_eq!(of(&hex!("0100")), Filter::AcceptAll);
        assert_eq!(of(&hex!("0100 0000")), Filter::AcceptAll);
        assert_eq!(of(&hex!("c100")), Filter::AcceptAll);
        assert_eq!(of(&hex!("0900 0f0101 0100")), Filter::AcceptAll);

        assert_eq!(of(&hex!("")), Filter::Unsupported);
        assert_eq!(of(&hex!("0000 0100")), Filter::Unsupported);
        assert_eq!(of(&hex!("0500 0100")), Filter::Unsupported);
        assert_eq!(of(&hex!("25020800 0100")), Filter::Unsupported);
        assert_eq!(of(&hex!("3c00 0100")), Filter::Unsupported);
        assert_eq!(of(&hex!("020e 0000000000000001 00000000 0000 0100")), Filter::Unsupported);
    }
}
