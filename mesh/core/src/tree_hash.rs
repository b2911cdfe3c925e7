//! The Merkle tree hash of RFC 6962 §2.1. The hashing itself is the caller's: nothing here has
//! cryptography.

use crate::exchange::Digest;

/// SHA-256 over the parts, one after the other.
pub type Sha256 = fn(&[&[u8]]) -> Digest;

/// The root over `leaves`, in their order.
pub fn root<L: AsRef<[u8]>>(sha256: Sha256, leaves: impl IntoIterator<Item = L>) -> Digest {
    let leaves = leaves.into_iter().map(|leaf| sha256(&[&[0], leaf.as_ref()]));
    let mut level: Vec<Digest> = leaves.collect();
    if level.is_empty() {
        return sha256(&[]);
    }
    // Pairing level by level, an odd one out moving up as it is, is the same tree as the RFC's
    // splitting at the largest power of two.
    while 1 < level.len() {
        let pairs = level.chunks(2).map(|pair| match pair {
            [left, right] => sha256(&[&[1], &left.0, &right.0]),
            alone => alone[0],
        });
        level = pairs.collect();
    }
    level[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No hash at all, but one that shows what went into it: XOR would hide the order.
    fn mixed(parts: &[&[u8]]) -> Digest {
        let mut state = [7_u8; 32];
        for (index, byte) in parts.iter().flat_map(|part| part.iter()).enumerate() {
            let at = index % 32;
            state[at] = state[at].wrapping_mul(31).wrapping_add(*byte);
            state[(at + 1) % 32] ^= state[at].rotate_left(3);
        }
        Digest(state)
    }

    /// The definition of RFC 6962, word for word.
    fn defined(leaves: &[[u8; 1]]) -> Digest {
        match leaves {
            [] => mixed(&[]),
            [leaf] => mixed(&[&[0], leaf]),
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(half);
                mixed(&[&[1], &defined(left).0, &defined(right).0])
            }
        }
    }

    #[test]
    fn is_the_hash_of_the_definition() {
        let leaves: Vec<[u8; 1]> = (0..40).map(|number| [number]).collect();
        for count in 0..=leaves.len() {
            let some = &leaves[..count];
            assert_eq!(root(mixed, some), defined(some), "{count} leaves");
        }
    }
}
