//! Vectors that are the same for the same text, different for others, and of length 1 as the
//! real ones.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

/// The vector of `text`.
pub(super) fn of(text: &str, dimensions: usize) -> Vec<f32> {
    let seed: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let mut random = StdRng::from_seed(seed);
    let vector: Vec<f32> = (0..dimensions).map(|_| random.random_range(-1.0..1.0)).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.into_iter().map(|x| x / length).collect()
}

/// As a JSON list.
pub(super) fn floats(vector: &[f32]) -> String {
    serde_json::to_string(vector).expect("finite numbers are always JSON")
}

/// As base64 of little-endian floats.
pub(super) fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_its_texts_own_and_of_length_one() {
        assert_eq!(of("a", 256), of("a", 256));
        assert_ne!(of("a", 256), of("b", 256));
        let length: f32 = of("a", 256).iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-3, "{length}");
    }
}
