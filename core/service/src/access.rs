//! Who may use the local API: whoever can read the home directory (spec 04 §9.1).

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use axum::http::HeaderMap;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The name of the header that carries the token.
pub(crate) const HEADER: &str = "x-zt1-auth";

/// The file in the home directory that holds the token.
const FILE: &str = "authtoken.secret";

/// Length of a token this node makes, in characters of [`ALPHABET`].
const LEN: usize = 24;

/// What a token is made of: as many characters as divide 252, so that a byte below it is fair.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// What a program has to say to be answered.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is there, and nothing is in it.
    #[error("{} is empty: remove it, and the next start of the node makes another", .0.display())]
    Empty(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
}

impl Token {
    /// Reads the token of the home directory `home`.
    ///
    /// # Errors
    ///
    /// [`TokenError`]; if there is none, [`TokenError::File`] of kind [`io::ErrorKind::NotFound`].
    pub fn read(home: &Path) -> Result<Self, TokenError> {
        let path = home.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(source) => return Err(TokenError::File { action: "read", path, source }),
        };
        let token = text.trim();
        if token.is_empty() {
            return Err(TokenError::Empty(path));
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    /// Reads the token of the home directory `home`, or makes one if there is none.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn read_or_make(home: &Path) -> Result<Self, TokenError> {
        match Self::read(home) {
            Err(TokenError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let token = Self::random()?;
        let path = home.join(FILE);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(token.0.as_bytes()))
            .map_err(|source| TokenError::File { action: "write", path, source })?;
        Ok(token)
    }

    fn random() -> Result<Self, TokenError> {
        let mut text = Zeroizing::new(String::with_capacity(LEN));
        while text.len() < LEN {
            let mut bytes = Zeroizing::new([0; LEN]);
            getrandom::fill(bytes.as_mut()).map_err(TokenError::Randomness)?;
            let fair = bytes.iter().filter(|&&byte| usize::from(byte) < 252);
            let characters = fair.map(|&byte| char::from(ALPHABET[usize::from(byte) % 36]));
            let missing = LEN - text.len();
            text.extend(characters.take(missing));
        }
        Ok(Self(text))
    }

    /// Returns the token as a header has it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether a request carries this token, in the time it takes whether it does or not.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let said = match (headers.get(HEADER), headers.get("authorization")) {
            (Some(token), _) => token.as_bytes(),
            (None, Some(value)) => value.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default(),
            (None, None) => return false,
        };
        said.ct_eq(self.0.as_bytes()).into()
    }
}

/// Shows nothing of it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_may_read_it() {
        let home = tempfile::tempdir().unwrap();
        let made = Token::read_or_make(home.path()).unwrap();
        let kept = Token::read_or_make(home.path()).unwrap();

        assert_eq!(made.as_str(), kept.as_str());
        assert_eq!(made.as_str().len(), 24);
        assert!(made.as_str().bytes().all(|byte| ALPHABET.contains(&byte)));
        let mode = fs::metadata(home.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{made:?}").contains(made.as_str()));
    }

    #[test]
    fn an_empty_token_lets_nobody_in() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), " \n").unwrap();
        assert!(matches!(Token::read_or_make(home.path()), Err(TokenError::Empty(_))));
    }

    #[test]
    fn the_first_header_that_is_there_decides() {
        let token = Token(Zeroizing::new("secret".to_owned()));
        let is_in = |headers: &[(&'static str, &'static str)]| {
            let parse = |&(name, value): &(&'static str, &'static str)| {
                (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap())
            };
            token.is_in(&headers.iter().map(parse).collect())
        };
        assert!(is_in(&[("X-ZT1-Auth", "secret")]));
        assert!(is_in(&[("Authorization", "Bearer secret")]));
        assert!(!is_in(&[("Authorization", "secret")]));
        assert!(!is_in(&[("X-ZT1-Auth", "secre"), ("Authorization", "Bearer secret")]));
        assert!(!is_in(&[]));
    }
}
