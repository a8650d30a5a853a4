//! `[sim:…]` in a prompt: what must happen to the calls of its task. Pure.

mod step;

use std::time::Duration;

pub(crate) use step::{Act, Break, RetryAfter, Step};

const OPEN: &str = "[sim:";
const MODIFIERS: &str = "deltas=N, delay=MS, latency=MS, jitter=MS, bytes=N";
/// The most deltas in an answer, asked for by a marker or set.
pub(crate) const MAX_DELTAS: u32 = 1_000_000;
const MAX_BYTES: u32 = 64 * 1024 * 1024;
/// The longest wait that can be asked for, by a marker or while it runs.
pub(crate) const MAX_MILLIS: u32 = 60 * 60 * 1000;

/// A marker as parsed; the default is that of a prompt without one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Marker {
    steps: Vec<Step>,
    /// Deltas of the answer, at least 1.
    pub(crate) deltas: Option<u32>,
    /// Time between two deltas.
    pub(crate) delay: Option<Duration>,
    /// Time to the first byte.
    pub(crate) latency: Option<Duration>,
    /// The most that is added to that, by chance.
    pub(crate) jitter: Option<Duration>,
    /// The least number of bytes in the answer.
    pub(crate) bytes: usize,
}

impl Marker {
    /// Reads the marker out of a prompt.
    ///
    /// # Errors
    /// Words for whoever wrote a marker that cannot be meant: a test with a typing error must not
    /// pass by chance.
    pub(crate) fn find(prompt: &str) -> Result<Self, String> {
        let Some((_, rest)) = prompt.split_once(OPEN) else {
            return Ok(Self::default());
        };
        let (inside, after) =
            rest.split_once(']').ok_or_else(|| format!("{OPEN} has no closing bracket"))?;
        if after.contains(OPEN) {
            return Err(format!("more than one {OPEN}…] in a prompt"));
        }
        let mut marker = Self::default();
        for word in inside.split(',') {
            marker.take(word.trim())?;
        }
        Ok(marker)
    }

    /// The step for call `nth` (from 1) of the task; `None` when the marker has no steps.
    pub(crate) fn step(&self, nth: u32) -> Option<Step> {
        let index = nth.saturating_sub(1) as usize;
        self.steps.get(index).or(self.steps.last()).copied()
    }

    /// Whether the number of the call matters.
    pub(crate) fn has_sequence(&self) -> bool {
        self.steps.len() > 1
    }

    fn take(&mut self, word: &str) -> Result<(), String> {
        match word.split_once('=') {
            Some(("deltas", value)) => self.deltas = Some(number(word, value, 1, MAX_DELTAS)?),
            Some(("delay", value)) => self.delay = Some(millis(word, value)?),
            Some(("latency", value)) => self.latency = Some(millis(word, value)?),
            Some(("jitter", value)) => self.jitter = Some(millis(word, value)?),
            Some(("bytes", value)) => self.bytes = number(word, value, 0, MAX_BYTES)? as usize,
            _ => self.steps.push(Step::parse(word).ok_or_else(|| unknown(word))?),
        }
        Ok(())
    }
}

fn millis(word: &str, value: &str) -> Result<Duration, String> {
    number(word, value, 0, MAX_MILLIS).map(|millis| Duration::from_millis(millis.into()))
}

fn number(word: &str, value: &str, least: u32, most: u32) -> Result<u32, String> {
    let parsed = value.parse().ok().filter(|number| (least..=most).contains(number));
    parsed.ok_or_else(|| format!("`{word}` needs a whole number from {least} to {most}"))
}

fn unknown(word: &str) -> String {
    format!("unknown step `{word}`: the steps are {}; the modifiers are {MODIFIERS}", step::names())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prompt: &str, calls: u32) -> Vec<&'static str> {
        let marker = Marker::find(prompt).unwrap();
        (1..=calls).filter_map(|nth| marker.step(nth)).map(|step| step.name).collect()
    }

    #[test]
    fn a_prompt_without_a_marker_asks_for_nothing() {
        assert_eq!(Marker::find("hello [simple] sim:500").unwrap(), Marker::default());
        assert_eq!(Marker::default().step(1), None);
    }

    #[test]
    fn steps_go_by_the_number_of_the_call_and_the_last_repeats() {
        assert_eq!(names("a [sim:500,429:0.2,ok] b", 5), ["500", "429", "ok", "ok", "ok"]);
        assert_eq!(names("[sim:cut]", 2), ["cut", "cut"]);
    }

    #[test]
    fn modifiers_stand_anywhere_and_are_no_steps() {
        let marker =
            Marker::find("[sim:deltas=40, 500, delay=50,latency=200,jitter=7,bytes=1000,ok]")
                .unwrap();
        assert_eq!(marker.deltas, Some(40));
        assert_eq!(marker.delay, Some(Duration::from_millis(50)));
        assert_eq!(marker.latency, Some(Duration::from_millis(200)));
        assert_eq!(marker.jitter, Some(Duration::from_millis(7)));
        assert_eq!(marker.bytes, 1000);
        assert_eq!(marker.step(1).map(|step| step.name), Some("500"));
        assert_eq!(marker.step(2), Some(Step::OK));
    }

    #[test]
    fn a_rate_limit_carries_its_wait() {
        let wait = |prompt| match Marker::find(prompt).unwrap().step(1).unwrap().act {
            Act::Refuse(_, retry_after) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("[sim:429]"), RetryAfter::Unsaid);
        assert_eq!(wait("[sim:429:0.2]"), RetryAfter::Seconds(0.2));
        assert_eq!(wait("[sim:429ms:200]"), RetryAfter::Millis(200));
    }

    #[test]
    fn an_unknown_step_is_named_with_all_that_exist() {
        let words = Marker::find("[sim:500,okay]").unwrap_err();
        assert!(words.contains("unknown step `okay`"), "{words}");
        for known in ["ok", "503", "429:SECONDS", "429ms:MS", "hangmid", "quota", "deltas=N"] {
            assert!(words.contains(known), "{known} is missing in: {words}");
        }
    }

    #[test]
    fn a_marker_that_cannot_be_meant_is_refused() {
        let wrong = [
            "[sim:]",
            "[sim:ok,]",
            "[sim:ok",
            "[sim:OK]",
            "[sim:200]",
            "[sim:429:]",
            "[sim:429:-1]",
            "[sim:429:inf]",
            "[sim:429ms:0.2]",
            "[sim:deltas=0]",
            "[sim:deltas=x]",
            "[sim:delay=-1]",
            "[sim:bytes=99999999]",
            "[sim:speed=1]",
            "[sim:ok] [sim:500]",
        ];
        for prompt in wrong {
            assert!(Marker::find(prompt).is_err(), "{prompt} was taken");
        }
    }
}
