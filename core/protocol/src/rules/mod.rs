//! Rules: what a network lets through.
//!
//! Source: spec 03 §8.

pub mod codec;
pub mod eval;

/// One entry of a rule list: an action or a match, kept as it came so that unknown types survive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {/* decide: enum of all known actions and matches + Unknown{kind, value}, with `not` and `or` bits */}

/// What a rule list says about all frames, as far as this version understands rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Filter {
    /// The list is the default: everything is accepted.
    AcceptAll,
    /// The list cannot be evaluated by this version: nothing may pass.
    Unsupported,
}
