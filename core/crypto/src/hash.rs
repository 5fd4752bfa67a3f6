//! SHA-2 over messages that lie in several slices.

use sha2::{Digest, Sha384, Sha512};

/// Returns the SHA-512 of the concatenation of `parts`.
#[must_use]
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    digest::<Sha512>(parts).finalize().into()
}

/// Returns the SHA-384 of the concatenation of `parts`.
#[must_use]
pub fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    digest::<Sha384>(parts).finalize().into()
}

fn digest<D: Digest>(parts: &[&[u8]]) -> D {
    parts.iter().fold(D::new(), |digest, part| digest.chain_update(part))
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    /// From FIPS 180-4's example "abc".
    #[test]
    fn the_cut_into_parts_does_not_matter() {
        let sha512_of_abc = hex!(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
        let sha384_of_abc = hex!(
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7"
        );

        for parts in [&[b"abc".as_slice()][..], &[b"a", b"", b"bc"], &[b"", b"ab", b"c", b""]] {
            assert_eq!(sha512(parts), sha512_of_abc);
            assert_eq!(sha384(parts), sha384_of_abc);
        }
    }
}
