//! The MAC of a line, which covers the line before it.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::super::key::{Key, hex};

/// What the key of the chain is derived with.
const PURPOSE: &[u8] = b"tbot-audit-chain-v1";

/// The MAC of one line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mac([u8; 32]);

impl Mac {
    /// What the first line is chained to.
    pub(super) const ZERO: Mac = Mac([0; 32]);

    /// 64 lower-case hex digits.
    pub(super) fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Reads exactly 64 lower-case hex digits.
    pub(super) fn parse(text: &[u8]) -> Option<Mac> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        if text.len() != 64 {
            return None;
        }
        let mut mac = [0; 32];
        for (byte, pair) in mac.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Mac(mac))
    }
}

impl PartialEq for Mac {
    fn eq(&self, other: &Mac) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The key of the chain: HMAC-SHA256 of the purpose under the 32 bytes of `audit.key`.
#[derive(Clone)]
pub(super) struct ChainKey(Zeroizing<[u8; 32]>);

impl ChainKey {
    pub(super) fn derive(key: &Key) -> ChainKey {
        ChainKey(Zeroizing::new(hmac_sha256(key.bytes(), &[PURPOSE])))
    }

    /// The MAC of `json` after the line with the MAC `previous`.
    pub(super) fn mac(&self, previous: &Mac, json: &[u8]) -> Mac {
        Mac(hmac_sha256(&self.0, &[previous.hex().as_bytes(), b"\n", json]))
    }
}

fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key shorter than the block is padded to it with zeros, so this is the HMAC of the 32 bytes.
    let mut block = Zeroizing::new([0u8; 64]);
    block[..32].copy_from_slice(key);
    let mut hmac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        hmac.update(part);
    }
    hmac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::parse(b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap()
    }

    /// Computed with Python's hmac and hashlib from the words of the contract.
    #[test]
    fn the_chain_is_that_of_the_contract() {
        let chain = ChainKey::derive(&key());
        let first = chain.mac(&Mac::ZERO, br#"{"seq":1}"#);
        let second = chain.mac(&first, br#"{"seq":2}"#);
        assert_eq!(first.hex(), "4e6abf3dcd7efa30531dd89f1d178557eec1b91bff718bef0a2481a2e07e9751");
        assert_eq!(second.hex(), "0f514fb9d6887eb5c21e4b87e473e8b9baeabb6c63e1b4af735bfb8aeb007e9e");
    }

    #[test]
    fn macs_are_read_as_they_are_written() {
        let mac = ChainKey::derive(&key()).mac(&Mac::ZERO, b"{}");
        assert_eq!(Mac::parse(mac.hex().as_bytes()), Some(mac));
        for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"A".repeat(64)] {
            assert_eq!(Mac::parse(text.as_bytes()), None, "{text}");
        }
    }
}
