//! Rules, judged a second time.

pub mod node;
pub mod oracle;
pub mod random;
