//! Rules, judged a second time.

pub mod oracle;
pub mod random;
