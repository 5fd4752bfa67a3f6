//! Why a frame passes or does not.

use super::eval::Verdict;
use super::passage::Passage;

/// A verdict and what led to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// The verdict.
    pub verdict: Verdict,
    /// The rule that decided; `None` if none did, which drops the frame.
    pub decided_by: Option<DecidedBy>,
    /// The tags that were looked at, in the order they first were.
    pub tags: Vec<TagValues>,
}

/// A rule that decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DecidedBy {
    /// The list it stands in.
    pub list: List,
    /// Its place there, from 0.
    pub index: usize,
}

/// A list of rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum List {
    /// The network's.
    Base,
    /// That of the sender's capability with this ID.
    Capability(u32),
}

/// The values of a tag that this node knows of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TagValues {
    /// Which tag.
    pub id: u32,
    /// The sender's; `None` if it has none or has not shown it.
    pub sender: Option<u32>,
    /// The receiver's; `None` if it has none or has not shown it.
    pub receiver: Option<u32>,
}

/// Who is told what is looked at on the way to a verdict.
pub(super) trait Witness {
    /// A tag of the passage's two nodes was looked at.
    fn consulted(&mut self, tag: u32, passage: &Passage<'_>);
}

/// Nobody, which costs nothing.
impl Witness for () {
    fn consulted(&mut self, _: u32, _: &Passage<'_>) {}
}

impl Witness for Vec<TagValues> {
    fn consulted(&mut self, id: u32, passage: &Passage<'_>) {
        if self.iter().all(|seen| seen.id != id) {
            let Passage { sender, receiver, .. } = passage;
            let (sender, receiver) = (sender.holdings.tag(id), receiver.holdings.tag(id));
            self.push(TagValues { id, sender, receiver });
        }
    }
}
