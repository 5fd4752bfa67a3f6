//! What the user allows a network to do to this machine.
//!
//! Kept beside the network's configuration, in `networks.d/<16 hex>.local.conf`, as lines the
//! reference reads and writes too:
//!
//! ```text
//! allowManaged=1                            or 0, or 10.1.0.0/16,fd00::/8
//! allowGlobal=0
//! allowDefault=0
//! allowDNS=0
//! ```
//!
//! Source: spec 03 §11, spec 04 §11.1.

use core::fmt;

use crate::dictionary::Dictionary;
use crate::limits::SETTINGS_PREFIXES_MAX;
use crate::prefix::{NotAPrefix, Prefix};

/// The keys, in the order they are written.
const KEYS: [&str; 4] = ["allowManaged", "allowGlobal", "allowDefault", "allowDNS"];

/// Longest value of `allowManaged` that the reference takes for a flag, in bytes.
const FLAG_LEN_MAX: usize = 5;

/// What the user allows a network to do to this machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// Which addresses and routes may be set at all.
    pub managed: Managed,
    /// Addresses and routes of the public Internet may be set.
    pub global: bool,
    /// Default routes may be set.
    pub default_route: bool,
    /// Name servers may be set.
    pub dns: bool,
}

/// Which addresses and routes may be set.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Managed {
    /// None.
    No,
    /// All that nothing else forbids.
    #[default]
    All,
    /// Of those only what lies within one of these, at most
    /// [`SETTINGS_PREFIXES_MAX`].
    Only(Vec<Prefix>),
}

/// Why settings cannot be understood.
#[derive(Clone, Debug, Eq, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum SettingsError {
    /// An entry of the list is no prefix.
    #[error("allowManaged lists {entry:?}, which is {why}")]
    Entry {
        /// The entry, as much of it as is worth showing.
        entry: String,
        /// What is wrong with it.
        why: NotAPrefix,
    },
    /// The list is too long.
    #[error("allowManaged lists more than {SETTINGS_PREFIXES_MAX} networks")]
    TooMany,
}

impl Settings {
    /// Returns settings that allow a network nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { managed: Managed::No, global: false, default_route: false, dns: false }
    }

    /// Reads settings. What is not said is as by default; other lines are ignored.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] if `allowManaged` is neither a flag nor a list of prefixes. Nothing else
    /// can be wrong: flags are on if they begin with `1`, `t` or `T` and else off.
    pub fn from_text(text: &[u8]) -> Result<Self, SettingsError> {
        let from = Dictionary::new(text);
        let [managed, global, default_route, dns] = KEYS;
        let flag = |key| from.bool(key).unwrap_or(false);
        Ok(Self {
            managed: from.text(managed).map_or(Ok(Managed::All), |value| value.parse())?,
            global: flag(global),
            default_route: flag(default_route),
            dns: flag(dns),
        })
    }

    /// Returns the lines that say so.
    #[must_use]
    pub fn to_text(&self) -> String {
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let values =
            [self.managed.to_string(), flag(self.global), flag(self.default_route), flag(self.dns)];
        KEYS.iter().zip(values).map(|(key, value)| format!("{key}={value}\n")).collect()
    }

    /// Returns `text` with the lines that say so in place of those that said otherwise, and all
    /// other lines as they are.
    #[must_use]
    pub fn merged_into(&self, text: &[u8]) -> Vec<u8> {
        let is_ours = |line: &[u8]| {
            let value = |key: &&str| line.strip_prefix(key.as_bytes());
            KEYS.iter().filter_map(value).any(|value| value.starts_with(b"="))
        };
        let mut merged = self.to_text().into_bytes();
        for line in text.split(|byte| matches!(byte, b'\r' | b'\n')) {
            if !line.is_empty() && !is_ours(line) {
                merged.extend_from_slice(line);
                merged.push(b'\n');
            }
        }
        merged
    }
}

impl fmt::Display for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("0"),
            Self::All => f.write_str("1"),
            // An empty value would allow everything.
            Self::Only(prefixes) if prefixes.is_empty() => f.write_str("0"),
            Self::Only(prefixes) => {
                let texts: Vec<_> = prefixes.iter().map(Prefix::to_string).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

impl core::str::FromStr for Managed {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        if text.is_empty() {
            return Ok(Self::All);
        }
        if text.len() <= FLAG_LEN_MAX && !text.contains('/') {
            return Ok(if text.starts_with(['1', 't', 'T']) { Self::All } else { Self::No });
        }
        let mut prefixes = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            if prefixes.len() == SETTINGS_PREFIXES_MAX {
                return Err(SettingsError::TooMany);
            }
            let prefix = entry.parse().map_err(|why| {
                let entry = entry.chars().take(64).collect();
                SettingsError::Entry { entry, why }
            })?;
            prefixes.push(prefix);
        }
        Ok(Self::Only(prefixes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts as the reference writes them, and as its users edit them.
    #[test]
    fn the_references_files_are_read() {
        let written = b"allowManaged=1\nallowGlobal=0\nallowDefault=1\nallowDNS=1\n";
        let settings = Settings { default_route: true, dns: true, ..Settings::default() };
        assert_eq!(Settings::from_text(written), Ok(settings));

        let listed = b"allowManaged=10.1.0.0/16,fd00::/8\r\nallowGlobal=true\n";
        let settings = Settings::from_text(listed).unwrap();
        assert_eq!(settings.managed, only(&["10.1.0.0/16", "fd00::/8"]));
        assert!(settings.global && !settings.default_route && !settings.dns);
    }

    #[test]
    fn what_is_not_said_is_as_by_default() {
        for text in ["", "\n", "# nothing", "allowManaged=", "allowGlobal\nallowDNS=\n", "\0"] {
            assert_eq!(Settings::from_text(text.as_bytes()), Ok(Settings::default()), "{text:?}");
        }
        assert_eq!(Settings::default().managed, Managed::All);
    }

    #[test]
    fn flags_are_read_as_the_reference_reads_them() {
        let managed = |value: &str| {
            Settings::from_text(format!("allowManaged={value}").as_bytes()).unwrap().managed
        };

        for value in ["1", "true", "True", "t", "100"] {
            assert_eq!(managed(value), Managed::All, "{value}");
        }
        for value in ["0", "false", "no", "yes", "-1"] {
            assert_eq!(managed(value), Managed::No, "{value}");
        }
        assert_eq!(managed("::/0"), only(&["::/0"]));
    }

    #[test]
    fn a_list_with_a_wrong_entry_is_refused() {
        for value in ["10.1.0.0/16;10.2.0.0/16", "10.1.0.0/16,10.2.0.0", "false, really"] {
            let text = format!("allowManaged={value}\n");
            let error = Settings::from_text(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("such as 10.1.0.0/16"), "{error}");
        }
        let many = vec!["10.0.0.0/8"; SETTINGS_PREFIXES_MAX + 1].join(",");
        let text = format!("allowManaged={many}");
        assert_eq!(Settings::from_text(text.as_bytes()), Err(SettingsError::TooMany));
    }

    #[test]
    fn settings_are_written_as_the_reference_writes_them() {
        assert_eq!(
            Settings::default().to_text(),
            "allowManaged=1\nallowGlobal=0\nallowDefault=0\nallowDNS=0\n"
        );
    }

    #[test]
    fn lines_of_others_are_kept() {
        let settings = Settings { managed: only(&["10.0.0.0/8"]), ..Settings::default() };

        let text = settings.merged_into(b"# mine\nallowDNS=1\nfuture=\xff\nallowDNS=0\n");

        assert_eq!(
            text,
            b"allowManaged=10.0.0.0/8\nallowGlobal=0\nallowDefault=0\nallowDNS=0\n\
              # mine\nfuture=\xff\n"
        );
        assert_eq!(settings.merged_into(&text), text);
    }

    #[test]
    fn an_empty_list_stays_one_that_allows_nothing() {
        let settings = Settings { managed: Managed::Only(Vec::new()), ..Settings::default() };

        let read = Settings::from_text(settings.to_text().as_bytes()).unwrap();

        assert_eq!(read.managed, Managed::No);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            prefixes in proptest::collection::vec((any::<[u8; 16]>(), any::<bool>(), 0..=32_u8), 1..9),
            flags: [bool; 3],
            other in "[a-z=# ]{0,20}",
        ) {
            let prefixes = prefixes.into_iter().map(|(octets, v4, bits)| {
                let [a, b, c, d, ..] = octets;
                let address = if v4 { [a, b, c, d].into() } else { octets.into() };
                Prefix { address, bits }
            });
            let [global, default_route, dns] = flags;
            let managed = Managed::Only(prefixes.collect());
            let settings = Settings { managed, global, default_route, dns };

            let text = settings.merged_into(other.as_bytes());

            prop_assert_eq!(Settings::from_text(&text), Ok(settings));
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>, list: String) {
            let _ = Settings::from_text(&bytes);
            let _ = Settings::from_text(format!("allowManaged={list}").as_bytes());
        }
    }

    fn only(prefixes: &[&str]) -> Managed {
        Managed::Only(prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect())
    }
}
