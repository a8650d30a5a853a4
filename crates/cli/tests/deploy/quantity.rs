//! Quantities as Kubernetes writes them.

/// Bytes: `20Gi`, `512Mi`.
pub(crate) fn bytes(text: &str) -> u64 {
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40)];
    let (number, shift) = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        .unwrap_or((text, 0));
    number.parse::<u64>().unwrap_or_else(|_| panic!("{text} is no whole number of bytes")) << shift
}
