//! Friendly words, so that a person who watches a stream sees something like an answer.

/// Said first, whatever the prompt.
const OPENING: [&str; 8] = ["This", "answer", "is", "simulated:", "no", "model", "was", "asked."];

/// Words in a sentence after the opening.
const SENTENCE: u32 = 9;

/// Said once in each sentence: a client that cuts between bytes instead of characters must fail
/// here and not on its first real user.
const MULTI_BYTE: [&str; 8] =
    ["café", "naïve", "Zürich", "日本語", "привет", "🙂", "déjà", "señor"];

const PLAIN: [&str; 32] = [
    "a", "and", "bright", "calm", "careful", "clouds", "drifts", "every", "finds", "friendly",
    "gently", "green", "hello", "idea", "kind", "light", "listens", "morning", "of", "over",
    "patient", "quiet", "river", "small", "song", "the", "there", "under", "wanders", "warm",
    "wind", "with",
];

/// Appends word `index` (from 0) of the answer that `seed` stands for.
pub(super) fn push(seed: u64, index: u32, text: &mut String) {
    if index > 0 {
        text.push(' ');
    }
    match OPENING.get(index as usize) {
        Some(word) => text.push_str(word),
        None => push_chosen(seed, index - 8, text),
    }
}

fn push_chosen(seed: u64, index: u32, text: &mut String) {
    let place = index % SENTENCE;
    // The odd factor spreads neighbours; the upper bits depend on all of the seed.
    let mixed = (seed ^ u64::from(index)).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
    match place {
        0 => push_capital(PLAIN[usize::from(mixed) % PLAIN.len()], text),
        4 => text.push_str(MULTI_BYTE[usize::from(mixed) % MULTI_BYTE.len()]),
        _ => text.push_str(PLAIN[usize::from(mixed) % PLAIN.len()]),
    }
    if place == SENTENCE - 1 {
        text.push('.');
    }
}

fn push_capital(word: &str, text: &mut String) {
    let mut letters = word.chars();
    text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    text.push_str(letters.as_str());
}
