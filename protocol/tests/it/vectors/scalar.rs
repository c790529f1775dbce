//! Arithmetic modulo the order of Ed25519's group, slow and plain, to write the signatures that a
//! lenient verifier takes and a strict one refuses.

use sha2::{Digest as _, Sha512};

type Words = [u32; 17];

/// L = 2^252 + 27742317777372353535851937790883648493, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The encoding of the neutral element, which has order 1.
pub(crate) const NEUTRAL: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 1;
    point
};

/// The number plus L: the same scalar, in an encoding that RFC 8032 (5.1.7) forbids.
pub(crate) fn plus_order(scalar: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut carry = 0;
    for (index, digit) in sum.iter_mut().enumerate() {
        carry += u16::from(scalar[index]) + u16::from(ORDER[index]);
        *digit = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    sum
}

/// `H(R, A, message) · a mod L`: the S that fits an R of the neutral element.
pub(crate) fn s_for_neutral_r(private: &[u8; 32], public: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let challenge = Sha512::new()
        .chain_update(NEUTRAL)
        .chain_update(public)
        .chain_update(message);
    let challenge = remainder(words(&challenge.finalize()));
    let product = multiply(&challenge, &remainder(words(private)));
    let mut s = [0; 32];
    for (chunk, word) in s.chunks_exact_mut(4).zip(remainder(product)) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    s
}

fn words(bytes: &[u8]) -> Words {
    let mut words = [0; 17];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
    }
    words
}

fn multiply(a: &Words, b: &Words) -> Words {
    let mut product = [0; 17];
    for (i, &x) in a.iter().enumerate().take(8) {
        let mut carry = 0;
        for (j, &y) in b.iter().enumerate().take(8) {
            let sum = u64::from(x) * u64::from(y) + u64::from(product[i + j]) + carry;
            product[i + j] = sum as u32;
            carry = sum >> 32;
        }
        product[i + 8] = carry as u32;
    }
    product
}

/// Long division, bit by bit.
fn remainder(number: Words) -> Words {
    let order = words(&ORDER);
    let mut rest = [0; 17];
    for bit in (0..17 * 32).rev() {
        let mut carry = number[bit / 32] >> (bit % 32) & 1;
        for word in &mut rest {
            let next = *word >> 31;
            *word = *word << 1 | carry;
            carry = next;
        }
        if rest.iter().rev().ge(order.iter().rev()) {
            let mut borrow = false;
            for (word, subtrahend) in rest.iter_mut().zip(order) {
                let (once, first) = word.overflowing_sub(subtrahend);
                let (twice, second) = once.overflowing_sub(borrow.into());
                *word = twice;
                borrow = first || second;
            }
        }
    }
    rest
}
