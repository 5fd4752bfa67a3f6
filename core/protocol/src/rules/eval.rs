//! What a list of rules means for a frame.
//!
//! ```text
//!  match, match, ..  action   match, ..  action   ..     from left to right
//!  `- true so far? -> taken   `- the next set
//! ```
//!
//! The network's rules are asked first. If none of them decides, the sender's capabilities are,
//! one after the other; if none of these accepts the frame, it is dropped. Both nodes do this: the
//! sender, giving the benefit of the doubt where it does not know the receiver's tags, and the
//! receiver, strictly.
//!
//! Source: spec 03 §8.2, §8.5, §8.6.

use arrayvec::ArrayVec;

use super::explain::{DecidedBy, Explanation, List, Witness};
use super::matching::{Leniency, Subject};
use super::passage::{Direction, Passage};
use super::{Forward, Kind, Rule};
use crate::address::Address;

/// Most copies of one frame: two of TEE or WATCH, of the network's rules and of a capability, and
/// that of a REDIRECT.
const COPIES_MAX: usize = 3;

/// What a network's rules say about frames.
///
/// Without rules, as by default, every frame is dropped.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    rules: Vec<Rule>,
    unknown_matches: bool,
    accepts_all: bool,
}

/// What becomes of a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// Whether it passes.
    pub decision: Decision,
    /// Where else it is sent, in this order, whatever the decision.
    pub copies: ArrayVec<Copied, COPIES_MAX>,
}

/// Whether a frame passes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It does not.
    Drop,
    /// It goes to another node instead, as the last of the copies.
    Redirect,
    /// It does.
    Accept,
    /// It does, although it may be neither from nor for whom its MACs say (spec 03 §9.4).
    SuperAccept,
}

/// A frame, or the beginning of one, that is sent to a third node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Copied {
    /// To whom.
    pub to: Address,
    /// How much of the payload, in bytes.
    pub len: usize,
    /// What for.
    pub purpose: Purpose,
}

/// What a copy is made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// To look at.
    Tee,
    /// To look at; an acknowledgement is wanted.
    Watch,
    /// To receive it in the receiver's place.
    Redirect,
}

impl Filter {
    /// Returns what `rules` say. `unknown_matches` is the result of matches of later versions
    /// (spec 03 §8.3).
    #[must_use]
    pub fn new(rules: &[Rule], unknown_matches: bool) -> Self {
        // An action of a later version does nothing.
        let is_idle =
            |rule: &&Rule| matches!(rule.kind, Kind::Unknown { .. }) && rule.kind.is_action();
        let first = rules.iter().find(|rule| !is_idle(rule));
        let accepts_all = first.is_some_and(|rule| rule.kind == Kind::Accept);
        Self { rules: rules.to_vec(), unknown_matches, accepts_all }
    }

    /// Returns what it takes, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        super::footprint(&self.rules)
    }

    /// Returns whether every frame passes, both ways, whoever sends it.
    #[must_use]
    pub const fn accepts_all(&self) -> bool {
        self.accepts_all
    }

    /// Judges a frame.
    ///
    /// `random` returns 32 uniform bits; it is asked only by rules that are about chance.
    pub fn judge(&self, passage: &Passage<'_>, random: &mut dyn FnMut() -> u32) -> Verdict {
        if self.accepts_all {
            return Verdict { decision: Decision::Accept, copies: ArrayVec::new() };
        }
        self.evaluate(passage, random, &mut ()).0
    }

    /// As [`judge`](Self::judge), and says what led to the verdict.
    pub fn explain(&self, passage: &Passage<'_>, random: &mut dyn FnMut() -> u32) -> Explanation {
        let mut tags = Vec::new();
        let (verdict, decided_by) = self.evaluate(passage, random, &mut tags);
        Explanation { verdict, decided_by, tags }
    }

    fn evaluate(
        &self,
        passage: &Passage<'_>,
        random: &mut dyn FnMut() -> u32,
        witness: &mut impl Witness,
    ) -> (Verdict, Option<DecidedBy>) {
        let mut subject = Subject::new(passage, self.unknown_matches, random, witness);
        let decided = |list, index| Some(DecidedBy { list, index });

        let base = Run::of(&self.rules, passage, &mut subject);
        match base.end {
            Some((end, index)) => {
                (Verdict::of(end, [None, base.tee], passage), decided(List::Base, index))
            }
            None => {
                for grant in passage.sender.holdings.grants() {
                    let run = Run::of(&grant.rules, passage, &mut subject);
                    // A capability can only grant: what it drops, another may let pass.
                    if let Some((end, index)) = run.end.filter(|(end, _)| *end != End::Drop) {
                        let verdict = Verdict::of(end, [run.tee, base.tee], passage);
                        return (verdict, decided(List::Capability(grant.id), index));
                    }
                }
                (Verdict::DROP, None)
            }
        }
    }
}

impl Verdict {
    const DROP: Self = Self { decision: Decision::Drop, copies: ArrayVec::new_const() };

    /// Returns the verdict of rules that ended as `end`; `tees` count if they let the frame pass.
    fn of(end: End, tees: [Option<Copied>; 2], passage: &Passage<'_>) -> Self {
        let (decision, redirected) = match end {
            End::Drop => return Self::DROP,
            End::Accept => (Decision::Accept, None),
            End::SuperAccept => (Decision::SuperAccept, None),
            End::Redirect(to) => {
                let len = passage.frame.payload.len();
                (Decision::Redirect, Some(Copied { to, len, purpose: Purpose::Redirect }))
            }
        };
        Self { decision, copies: tees.into_iter().flatten().chain(redirected).collect() }
    }

    /// Returns whether the frame goes on to where it was going.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self.decision, Decision::Accept | Decision::SuperAccept)
    }

    /// Leaves out what TEE and WATCH copy, because it has been copied already.
    #[must_use]
    pub fn without_tees(mut self) -> Self {
        self.copies.retain(|copy| copy.purpose == Purpose::Redirect);
        self
    }
}

/// How a list of rules ends if a rule decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Drop,
    Accept,
    SuperAccept,
    Redirect(Address),
}

/// What an action does.
enum Effect {
    /// Nothing.
    None,
    /// Ends the list without a decision.
    Break,
    /// Ends the list.
    End(End),
    /// Has a copy made if the frame passes.
    Tee(Copied),
}

/// A list of rules that was gone through.
struct Run {
    /// How it ended, and which rule decided; `None` if none did.
    end: Option<(End, usize)>,
    /// What TEE or WATCH copies if the frame passes.
    tee: Option<Copied>,
}

impl Run {
    /// Goes through `rules`.
    fn of<W: Witness>(rules: &[Rule], passage: &Passage<'_>, subject: &mut Subject<'_, W>) -> Self {
        let mut holds = true;
        let mut leniency = Leniency::default();
        let mut tee = None;

        for (index, rule) in rules.iter().enumerate() {
            if !rule.kind.is_action() {
                // What cannot change anything must not even be asked: asking has effects.
                if rule.or {
                    holds |= subject.answer(&rule.kind, &mut leniency).holds(rule.not);
                } else if holds {
                    holds = subject.answer(&rule.kind, &mut leniency).holds(rule.not);
                }
                continue;
            }
            if !holds {
                leniency.targeted |= targets_receiver(&rule.kind, passage);
                holds = true;
                continue;
            }
            match effect(&rule.kind, passage, &mut leniency) {
                Effect::None => {}
                Effect::Break => return Self { end: None, tee },
                Effect::End(end) => return Self { end: Some((end, index)), tee },
                Effect::Tee(copy) => tee = Some(copy),
            }
        }
        Self { end: None, tee }
    }
}

/// Returns what an action whose matches are true does.
fn effect(action: &Kind, passage: &Passage<'_>, leniency: &mut Leniency) -> Effect {
    match action {
        Kind::Drop if leniency.spare => {
            leniency.spare = false;
            Effect::None
        }
        Kind::Drop => Effect::End(End::Drop),
        Kind::Accept if leniency.targeted => Effect::End(End::SuperAccept),
        // The priority does not travel.
        Kind::Accept | Kind::Priority => Effect::End(End::Accept),
        Kind::Break => Effect::Break,
        Kind::Tee(to) => forward(to, Purpose::Tee, passage),
        Kind::Watch(to) => forward(to, Purpose::Watch, passage),
        Kind::Redirect(to) => forward(to, Purpose::Redirect, passage),
        // Actions of later versions do nothing, and matches are no actions.
        _ => Effect::None,
    }
}

/// Returns what TEE, WATCH and REDIRECT do: nothing if the target has the frame anyway.
fn forward(forward: &Forward, purpose: Purpose, passage: &Passage<'_>) -> Effect {
    let to = Address::from_u64(forward.target);
    let whole = passage.frame.payload.len();
    if to == passage.sender.address {
        Effect::None
    } else if to == passage.receiver.address {
        match passage.direction {
            Direction::Inbound => Effect::End(End::SuperAccept),
            Direction::Outbound => Effect::None,
        }
    } else if purpose == Purpose::Redirect {
        Effect::End(End::Redirect(to))
    } else {
        let len = if forward.len == 0 { whole } else { whole.min(usize::from(forward.len)) };
        Effect::Tee(Copied { to, len, purpose })
    }
}

/// Returns whether a frame that comes in would have been meant for this node by `action`.
fn targets_receiver(action: &Kind, passage: &Passage<'_>) -> bool {
    match action {
        Kind::Tee(to) | Kind::Watch(to) | Kind::Redirect(to) => {
            passage.direction == Direction::Inbound
                && Address::from_u64(to.target) == passage.receiver.address
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::super::{Grant, Holdings, Party, Range, TagValues, Tagged, codec};
    use super::*;
    use crate::address::Mac;
    use crate::transmit::Frame;

    const HERE: Address = Address::from_u64(1);
    const THERE: Address = Address::from_u64(2);
    const THIRD: Address = Address::from_u64(3);

    const FRAME: Frame<'static> = Frame {
        destination: Mac::BROADCAST,
        source: Mac::ZERO,
        ethertype: 0x0800,
        payload: &[0x45; 60],
    };

    fn outbound<'a>(local: &'a Holdings, remote: &'a Holdings) -> Passage<'a> {
        Passage {
            direction: Direction::Outbound,
            sender: Party { address: HERE, holdings: local },
            receiver: Party { address: THERE, holdings: remote },
            frame: FRAME,
        }
    }

    fn inbound<'a>(local: &'a Holdings, remote: &'a Holdings) -> Passage<'a> {
        Passage {
            direction: Direction::Inbound,
            sender: Party { address: THERE, holdings: remote },
            receiver: Party { address: HERE, holdings: local },
            frame: FRAME,
        }
    }

    fn filter(rules: impl IntoIterator<Item = Kind>) -> Filter {
        Filter::new(&rules.into_iter().map(Rule::from).collect::<Vec<_>>(), false)
    }

    fn judged(filter: &Filter, passage: &Passage<'_>) -> Verdict {
        filter.judge(passage, &mut || panic!("nothing is left to chance"))
    }

    const fn to(target: Address, len: u16) -> Forward {
        Forward { target: target.to_u64(), flags: 0, len }
    }

    /// Matches every frame or none.
    const fn always(truth: bool) -> Kind {
        Kind::VlanId(if truth { 0 } else { 1 })
    }

    fn grant(id: u32, rules: impl IntoIterator<Item = Kind>) -> Grant {
        Grant { id, rules: rules.into_iter().map(Rule::from).collect() }
    }

    #[test]
    fn lists_that_begin_by_accepting_accept_everything() {
        let accepts_all =
            |bytes: &[u8]| Filter::new(&codec::read_list(bytes, 10).unwrap(), true).accepts_all();

        assert!(accepts_all(&hex!("0100")));
        assert!(accepts_all(&hex!("0100 0000")));
        assert!(accepts_all(&hex!("c100")));
        assert!(accepts_all(&hex!("0900 0f0101 0100")));

        assert!(!accepts_all(&hex!("")));
        assert!(!accepts_all(&hex!("0000 0100")));
        assert!(!accepts_all(&hex!("0500 0100")));
        assert!(!accepts_all(&hex!("25020800 0100")));
        assert!(!accepts_all(&hex!("3c00 0100")));
        assert!(!accepts_all(&hex!("020e 0000000000000001 00000000 0000 0100")));
    }

    #[test]
    fn copies_are_those_of_the_capability_then_of_the_network_then_redirected() {
        let none = &Holdings::default();
        let local = Holdings::default().with_grants([
            grant(7, [Kind::Tee(to(Address::from_u64(9), 0)), Kind::Drop]),
            grant(8, [Kind::Watch(to(Address::from_u64(4), 500)), Kind::Redirect(to(THIRD, 1))]),
        ]);
        let filter = filter([Kind::Tee(to(Address::from_u64(5), 8)), Kind::Break, Kind::Accept]);

        let verdict = judged(&filter, &outbound(&local, none));

        let copied = |to, len, purpose| Copied { to: Address::from_u64(to), len, purpose };
        let redirected = copied(3, 60, Purpose::Redirect);
        assert_eq!(verdict.decision, Decision::Redirect);
        assert_eq!(
            verdict.copies[..],
            [copied(4, 60, Purpose::Watch), copied(5, 8, Purpose::Tee), redirected]
        );
        assert_eq!(verdict.without_tees().copies[..], [redirected]);
    }

    #[test]
    fn only_the_senders_capabilities_count() {
        let none = &Holdings::default();
        let holder = Holdings::default().with_grants([grant(1, [Kind::Accept])]);
        let filter = Filter::default();

        assert!(judged(&filter, &outbound(&holder, none)).passes());
        assert!(judged(&filter, &inbound(none, &holder)).passes());
        assert!(!judged(&filter, &outbound(none, &holder)).passes());
        assert!(!judged(&filter, &inbound(&holder, none)).passes());
    }

    #[test]
    fn copies_to_this_node_pass_whatever_their_macs() {
        let none = &Holdings::default();
        let filter = filter([always(false), Kind::Watch(to(HERE, 0)), Kind::Accept]);

        let verdict = |passage| judged(&filter, &passage).decision;

        assert_eq!(verdict(inbound(none, none)), Decision::SuperAccept);
        assert_eq!(verdict(outbound(none, none)), Decision::Accept);
    }

    #[test]
    fn a_match_that_cannot_matter_is_not_asked() {
        let or_random = Rule { or: true, ..Kind::Random(5).into() };
        let skipped = [always(false).into(), Kind::Random(5).into(), Kind::Accept.into()];
        let asked = [always(true).into(), or_random, Kind::Accept.into()];
        let none = &Holdings::default();
        let passage = outbound(none, none);

        let mut draws = 0;
        let mut draw = || {
            draws += 1;
            9
        };
        let first = Filter::new(&skipped, false).judge(&passage, &mut draw);
        let second = Filter::new(&asked, false).judge(&passage, &mut draw);

        assert!(!first.passes());
        assert!(second.passes());
        assert_eq!(draws, 1);
    }

    #[test]
    fn an_explanation_names_the_rule_and_the_tags() {
        let department = Kind::TagsEqual(Tagged { id: 1_000, value: 7 });
        let local = Holdings::default()
            .with_tags([(1_000, 7)])
            .with_grants([grant(3, [always(true), Kind::Accept])]);
        let remote = Holdings::default().with_tags([(1_000, 8)]);
        let filter = filter([department.clone(), Kind::Drop, department, Kind::Break]);

        let explanation = filter.explain(&outbound(&local, &remote), &mut || 0);

        let decided_by = DecidedBy { list: List::Capability(3), index: 1 };
        assert_eq!(explanation.decided_by, Some(decided_by));
        assert!(explanation.verdict.passes());
        let tag = TagValues { id: 1_000, sender: Some(7), receiver: Some(8) };
        assert_eq!(explanation.tags, [tag]);
    }

    #[test]
    fn what_no_rule_decides_is_dropped() {
        let none = &Holdings::default();
        let ports = Kind::DestinationPort(Range { start: 80, end: 80 });
        let explanation = filter([ports, Kind::Accept]).explain(&outbound(none, none), &mut || 0);

        assert_eq!(explanation.verdict, Verdict::DROP);
        assert_eq!(explanation.decided_by, None);
    }
}
