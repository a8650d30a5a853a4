//! What is asked when nobody says what to ask.

/// Short, friendly and different.
const SAMPLES: [&str; 4] = [
    "Say hello in French.",
    "Name three uses for a paper clip.",
    "Explain in two sentences why the sky is blue.",
    "Write a haiku about a queue that never loses anything.",
];

/// The prompts that were given, or the samples.
pub(super) fn or_samples(given: &[String]) -> Vec<String> {
    if given.is_empty() { SAMPLES.map(str::to_owned).into() } else { given.to_vec() }
}
