//! What nobody can guess, from the system.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// 256 bits as text without anything special in it.
pub fn text() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}
