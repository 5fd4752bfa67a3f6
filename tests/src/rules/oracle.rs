//! What becomes of a frame under rules, worked out from the tables of spec 03 §8.
//!
//! Everything is bytes and plain numbers: this shares no code with the node, not even the reading
//! of rules, so the two can only agree by both being right. It is written to be compared with the
//! specification line by line, not to be fast.

use std::collections::BTreeMap;

/// What a node holds that counts.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    /// Values of tags by ID.
    pub tags: BTreeMap<u32, u32>,
    /// Serialized rules of capabilities by ID.
    pub capabilities: BTreeMap<u32, Vec<u8>>,
    /// IP addresses, of 4 or 16 bytes.
    pub ips: Vec<Vec<u8>>,
    /// MAC addresses.
    pub macs: Vec<[u8; 6]>,
}

/// A frame between two nodes.
#[derive(Clone, Debug)]
pub struct Case {
    /// Whether it comes in.
    pub inbound: bool,
    /// The sending node.
    pub sender: u64,
    /// The receiving node; 0 if it is not known yet.
    pub receiver: u64,
    /// What this node holds.
    pub local: Holds,
    /// What the other one does.
    pub remote: Holds,
    /// The destination MAC.
    pub to: [u8; 6],
    /// The source MAC.
    pub from: [u8; 6],
    /// The Ethernet type.
    pub ethertype: u16,
    /// What follows the Ethernet header.
    pub frame: Vec<u8>,
    /// The network's flag 0x08.
    pub unknown_is_true: bool,
    /// What chance says, in order; 0 after that.
    pub chance: Vec<u32>,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It is dropped.
    Dropped,
    /// It is sent to somebody else instead.
    Redirected,
    /// It passes.
    Accepted,
    /// It passes, whatever its MACs.
    SuperAccepted,
}

/// A copy: to whom, how many bytes, and the action's number.
pub type Copy = (u64, usize, u8);

/// Judges a frame by a network's serialized `rules`.
#[must_use]
pub fn judge(case: &Case, rules: &[u8]) -> (Fate, Vec<Copy>) {
    let mut drawn = 0;
    let (base, base_copy) = walk(case, rules, &mut drawn);
    let mut result = base;
    let mut copies = Vec::new();
    if base == Stop::Nowhere {
        let holder = if case.inbound { &case.remote } else { &case.local };
        for rules in holder.capabilities.values() {
            let (stop, copy) = walk(case, rules, &mut drawn);
            if !matches!(stop, Stop::Nowhere | Stop::Drop) {
                result = stop;
                copies.extend(copy);
                break;
            }
        }
    }
    let fate = match result {
        Stop::Nowhere | Stop::Drop => return (Fate::Dropped, Vec::new()),
        Stop::Accept => Fate::Accepted,
        Stop::Super => Fate::SuperAccepted,
        Stop::Redirect(_) => Fate::Redirected,
    };
    copies.extend(base_copy);
    if let Stop::Redirect(target) = result {
        copies.push((target, case.frame.len(), 4));
    }
    (fate, copies)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stop {
    Nowhere,
    Drop,
    Accept,
    Super,
    Redirect(u64),
}

/// The state of spec 03 §8.2.
struct State {
    set: bool,
    superb: bool,
    skip_drop: bool,
}

/// The result of a match: before NOT, or such that NOT does not matter.
#[derive(Clone, Copy)]
enum Said {
    Maybe(bool),
    Always(bool),
}

const NO: Said = Said::Always(false);

fn walk(case: &Case, mut rules: &[u8], drawn: &mut usize) -> (Stop, Option<Copy>) {
    let mut state = State { set: true, superb: false, skip_drop: false };
    let mut copy = None;
    while let [head, len, rest @ ..] = rules {
        let (value, after) = rest.split_at(usize::from(*len));
        rules = after;
        let (not, or, number) = (head & 128 > 0, head & 64 > 0, head % 64);
        if number >= 16 {
            if state.set || or {
                let yes = match ask(case, number, value, &mut state, drawn) {
                    Said::Maybe(yes) => yes ^ not,
                    Said::Always(yes) => yes,
                };
                state.set = if or { state.set || yes } else { state.set && yes };
            }
            continue;
        }
        let is_forward = [2, 3, 4].contains(&number);
        let target = if is_forward { number_at(value, 0, 8) & 0xff_ffff_ffff } else { 0 };
        let me = if case.inbound { case.receiver } else { case.sender };
        if !state.set {
            state.superb |= case.inbound && is_forward && target == me;
            state.set = true;
            continue;
        }
        match number {
            0 if state.skip_drop => state.skip_drop = false,
            0 => return (Stop::Drop, copy),
            1 if state.superb => return (Stop::Super, copy),
            1 | 6 => return (Stop::Accept, copy),
            5 => return (Stop::Nowhere, copy),
            2..=4 if target == case.sender => {}
            2..=4 if target == me && case.inbound => return (Stop::Super, copy),
            2..=4 if target == me || target == case.receiver => {}
            4 => return (Stop::Redirect(target), copy),
            2 | 3 => {
                let wanted = number_at(value, 12, 2) as usize;
                let all = case.frame.len();
                let len = if wanted == 0 || wanted > all { all } else { wanted };
                copy = Some((target, len, number));
            }
            _ => {}
        }
    }
    (Stop::Nowhere, copy)
}

fn ask(case: &Case, number: u8, value: &[u8], state: &mut State, drawn: &mut usize) -> Said {
    let frame = &case.frame[..];
    let v4 = case.ethertype == 0x0800 && frame.len() >= 20;
    let v6 = case.ethertype == 0x86dd && frame.len() >= 40;
    let of = |at, len| number_at(value, at, len);
    let between = |low, x, high| Said::Maybe(low <= x && x <= high);
    match number {
        24 => Said::Maybe(of(0, 5) == case.sender),
        25 => Said::Maybe(of(0, 5) == case.receiver),
        26 => Said::Maybe(of(0, 2) == 0),
        27 | 28 => Said::Maybe(of(0, 1) == 0),
        29 => Said::Maybe(value[..6] == case.from),
        30 => Said::Maybe(value[..6] == case.to),
        31 | 32 if v4 => {
            let at = if number == 31 { 12 } else { 16 };
            let bits = usize::from(value[4]).min(32);
            let same = |bit| bit_of(&frame[at..], bit) == bit_of(value, bit);
            Said::Maybe((0..bits).all(same))
        }
        33 | 34 if v6 => {
            let at = if number == 33 { 8 } else { 24 };
            let bits = usize::from(value[16]).min(128);
            let masked = |bit| bit < bits && bit_of(&frame[at..], bit);
            Said::Maybe((0..128).all(|bit| masked(bit) == bit_of(value, bit)))
        }
        35 if v4 => between(of(1, 1), u64::from(frame[1]) & of(0, 1), of(2, 1)),
        35 if v6 => between(of(1, 1), number_at(frame, 0, 2) >> 4 & 0xff & of(0, 1), of(2, 1)),
        36 => match carried(case) {
            Some((_, protocol)) => Said::Maybe(u64::from(protocol) == of(0, 1)),
            None => NO,
        },
        37 => Said::Maybe(of(0, 2) == u64::from(case.ethertype)),
        38 => match carried(case) {
            Some((at, protocol))
                if frame.len() >= at + 2
                    && (v4 && protocol == 1 || v6 && protocol == 58)
                    && frame[at] == value[0] =>
            {
                if value[2] & 1 == 0 {
                    Said::Always(true)
                } else {
                    Said::Maybe(frame[at + 1] == value[1])
                }
            }
            _ => NO,
        },
        39 | 40 => match carried(case) {
            None => NO,
            Some((at, 6 | 17 | 132 | 136)) if frame.len() > at + 4 => {
                let port = number_at(frame, at + if number == 40 { 2 } else { 0 }, 2);
                if v6 && port == 0 { Said::Maybe(false) } else { between(of(0, 2), port, of(2, 2)) }
            }
            Some(_) => Said::Maybe(false),
        },
        41 => Said::Maybe(characteristics(case) & of(0, 8) != 0),
        42 => between(of(0, 2), frame.len() as u64, of(2, 2)),
        43 => {
            *drawn += 1;
            Said::Maybe(u64::from(case.chance.get(*drawn - 1).copied().unwrap_or(0)) <= of(0, 4))
        }
        44..=50 => tags(case, number, of(0, 4) as u32, of(4, 4) as u32, state),
        51 => {
            let x = integer(frame, of(16, 2) as usize, value[18]);
            let (start, end) = (of(0, 8), of(8, 8));
            let end = start.wrapping_add(end.wrapping_sub(start) % (1 << 32));
            between(start, x, end)
        }
        31..=35 => NO,
        _ => Said::Maybe(case.unknown_is_true),
    }
}

/// Spec 03 §8.3.
fn tags(case: &Case, number: u8, id: u32, value: u32, state: &mut State) -> Said {
    let lenient = |state: &mut State| {
        state.skip_drop = true;
        Said::Always(true)
    };
    let (local, remote) = (case.local.tags.get(&id), case.remote.tags.get(&id));
    if number >= 49 {
        if state.superb {
            return lenient(state);
        }
        let others = (number == 49) == case.inbound;
        return match if others { remote } else { local } {
            Some(tag) => Said::Maybe(*tag == value),
            None if others && number == 50 => lenient(state),
            None => NO,
        };
    }
    let Some(&local) = local else { return NO };
    let Some(&remote) = remote else {
        return if case.inbound && !state.superb { NO } else { lenient(state) };
    };
    let difference = i64::from(local) - i64::from(remote);
    Said::Maybe(match number {
        44 => difference.abs() <= i64::from(value),
        45 => local & remote == value,
        46 => local | remote == value,
        47 => local ^ remote == value,
        _ => [local, remote] == [value, value],
    })
}

/// Where what an IP packet carries begins, and what it is; `None` where the result is a hard no.
fn carried(case: &Case) -> Option<(usize, u8)> {
    let frame = &case.frame;
    match case.ethertype {
        0x0800 if frame.len() >= 20 => Some((usize::from(frame[0] % 16) * 4, frame[9])),
        0x86dd if frame.len() >= 40 => walk_v6(frame, 40, frame[6]),
        _ => None,
    }
}

/// Spec 03 §8.4.
fn walk_v6(frame: &[u8], at: usize, protocol: u8) -> Option<(usize, u8)> {
    match protocol {
        _ if at > frame.len() => None,
        0 | 43 | 60 | 135 if at + 8 > frame.len() => None,
        0 | 43 | 60 | 135 => walk_v6(frame, at + 8 + 8 * usize::from(frame[at + 1]), frame[at]),
        _ => Some((at, protocol)),
    }
}

/// Spec 03 §8.4.
fn characteristics(case: &Case) -> u64 {
    let frame = &case.frame;
    let sender = if case.inbound { &case.remote } else { &case.local };
    let v4 = case.ethertype == 0x0800 && frame.len() >= 20;
    let v6 = case.ethertype == 0x86dd && frame.len() >= 40;
    let mut bits = 0;
    let mut set = |bit: u32, when: bool| bits |= u64::from(when) << bit;

    set(63, case.inbound);
    set(62, case.to[0] % 2 == 1);
    set(61, case.to == [255; 6]);
    let neighbor = v6 && frame.len() >= 64 && frame[6] == 58;
    let ip = if v4 {
        &frame[12..16]
    } else if case.ethertype == 0x0806 && frame.len() >= 28 {
        &frame[14..18]
    } else if neighbor && frame[40] == 136 {
        &frame[48..64]
    } else if v6 {
        &frame[8..24]
    } else {
        &[]
    };
    let asks = neighbor && frame[40] == 135;
    set(60, asks || sender.ips.iter().any(|owned| owned == ip));
    set(59, sender.macs.contains(&case.from));
    if let Some((at, 6)) = carried(case)
        && (v4 && frame.len() >= at + 14 || v6 && frame.len() > at + 14)
    {
        bits |= number_at(frame, at + 12, 2) % 4096;
    }
    bits
}

/// Type 51 of spec 03 §8.1.
fn integer(frame: &[u8], index: usize, format: u8) -> u64 {
    let bits = u32::from(format % 64) + 1;
    let bytes = bits.div_ceil(8) as usize;
    if format < 128 {
        let at = index + 8 - bytes;
        let whole = if at + bytes <= frame.len() { number_at(frame, at, bytes) } else { 0 };
        (u128::from(whole) % (1 << bits)) as u64
    } else if index + bytes <= frame.len() {
        let mut field = frame[index..index + bytes].to_vec();
        field.reverse();
        number_at(&field, 0, bytes) >> (8 * bytes as u32 - bits)
    } else {
        0
    }
}

fn number_at(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

fn bit_of(bytes: &[u8], bit: usize) -> bool {
    bytes[bit / 8] >> (7 - bit % 8) & 1 == 1
}
