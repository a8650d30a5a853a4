//! What the simulator can be told from outside.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::ParseIntError;
use std::time::Duration;

use crate::marker::MAX_DELTAS;

/// How the simulator listens and answers; also the flags of the program.
///
/// The default answers at once and never fails.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Settings {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "OPENAI_SIM_LISTEN", default_value = "127.0.0.1:9900")]
    pub listen: SocketAddr,
    /// Milliseconds from a request to the first byte of its answer.
    #[arg(long = "latency-ms", value_name = "MS", value_parser = millis, default_value = "0")]
    pub latency: Duration,
    /// At most so many milliseconds are added to that, by chance.
    #[arg(long = "jitter-ms", value_name = "MS", value_parser = millis, default_value = "0")]
    pub jitter: Duration,
    /// Deltas (each counts as one token) in an answer, from 1 to 1,000,000.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DELTAS)))]
    pub deltas: u32,
    /// Milliseconds between two deltas; an answer that is not streamed takes as long as a streamed one.
    #[arg(long = "delay-ms", value_name = "MS", value_parser = millis, default_value = "0")]
    pub delay: Duration,
    /// How often calls fail by chance.
    #[command(flatten)]
    pub faults: Faults,
    /// Seed of the chance: the same seed gives the same sequence of faults and jitter.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How much a minute allows.
    #[command(flatten)]
    pub limits: Limits,
    /// The one key that is taken; calls with another are answered with 401. Unset: every call is
    /// taken.
    #[arg(long)]
    pub key: Option<String>,
}

/// What each model may be used for, as the real API counts it: a call is charged when it is
/// admitted, with one request and with the tokens that it may use at most (the larger of its
/// `max_tokens` and a quarter of the bytes of its prompt). A rejected call counts as a request, too.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args)]
pub struct Limits {
    /// Requests a minute; unset: no limit.
    #[arg(long = "requests-per-minute", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub requests: Option<u32>,
    /// Tokens a minute; unset: no limit.
    #[arg(long = "tokens-per-minute", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub tokens: Option<u32>,
    /// Milliseconds over which the limits are also enforced, from 100 to 60,000: with 1,000, sixty
    /// a minute are one a second.
    #[arg(long = "limit-span-ms", value_name = "MS", value_parser = millis, default_value = "1000")]
    pub span: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests: None, tokens: None, span: Duration::from_secs(1) }
    }
}

/// The share of calls, each from 0 to 1 and together at most 1, that fail by chance. A prompt whose
/// marker has steps is exempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, clap::Args)]
pub struct Faults {
    /// Share of calls answered with status 500.
    #[arg(long = "fault-500", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub http_500: f64,
    /// Share of calls answered with status 503.
    #[arg(long = "fault-503", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub http_503: f64,
    /// Share of calls answered with a rate limit, without Retry-After.
    #[arg(long = "fault-429", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub http_429: f64,
    /// Share of calls answered as if the account were out of money.
    #[arg(long = "fault-quota", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub quota: f64,
    /// Share of calls whose connection is aborted in the middle of the answer.
    #[arg(long = "fault-cut", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub cut: f64,
    /// Share of calls that get an error in the middle of the answer.
    #[arg(long = "fault-errmid", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub errmid: f64,
    /// Share of calls answered with 200 and what is no JSON.
    #[arg(long = "fault-garbage", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub garbage: f64,
    /// Share of calls that are never answered.
    #[arg(long = "fault-hang", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub hang: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9900)),
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            deltas: 24,
            delay: Duration::ZERO,
            faults: Faults::default(),
            seed: 0,
            limits: Limits::default(),
            key: None,
        }
    }
}

impl Settings {
    /// Checks what the flags' own parsers cannot see, or what a caller in the same process may
    /// have set.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.faults.check().map_err(invalid)?;
        if !(1..=MAX_DELTAS).contains(&self.deltas) {
            return Err(invalid("an answer has from 1 to 1,000,000 deltas"));
        }
        let Limits { requests, tokens, span } = self.limits;
        if requests == Some(0) || tokens == Some(0) {
            return Err(invalid("a limit is at least 1 a minute"));
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&span) {
            return Err(invalid("the span of the limits is from 100 to 60,000 milliseconds"));
        }
        Ok(())
    }
}

impl Faults {
    /// Each with the name of the step that it asks for.
    pub(crate) fn shares(&self) -> [(&'static str, f64); 8] {
        [
            ("500", self.http_500),
            ("503", self.http_503),
            ("429", self.http_429),
            ("quota", self.quota),
            ("cut", self.cut),
            ("errmid", self.errmid),
            ("garbage", self.garbage),
            ("hang", self.hang),
        ]
    }

    /// Sets the share of the step of that name; false when there is none.
    pub(crate) fn set(&mut self, name: &str, share: f64) -> bool {
        let field = match name {
            "500" => &mut self.http_500,
            "503" => &mut self.http_503,
            "429" => &mut self.http_429,
            "quota" => &mut self.quota,
            "cut" => &mut self.cut,
            "errmid" => &mut self.errmid,
            "garbage" => &mut self.garbage,
            "hang" => &mut self.hang,
            _ => return false,
        };
        *field = share;
        true
    }

    /// # Errors
    /// What is wrong with the shares.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let shares = self.shares();
        if shares.iter().any(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err("a fault rate is not between 0 and 1");
        }
        if shares.iter().map(|(_, share)| share).sum::<f64>() > 1.0 {
            return Err("the fault rates add up to more than 1");
        }
        Ok(())
    }
}

fn invalid(words: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, words)
}

fn millis(text: &str) -> Result<Duration, ParseIntError> {
    text.parse().map(Duration::from_millis)
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn no_flags_mean_the_default() {
        let flags = Flags::try_parse_from(["sim"]).unwrap();
        assert_eq!(flags.settings, Settings::default());
    }

    #[test]
    fn flags_reach_their_fields() {
        let words = ["sim", "--latency-ms", "200", "--delay-ms=20", "--fault-cut", "0.5"];
        let settings = Flags::try_parse_from(words).unwrap().settings;
        assert_eq!(settings.latency, Duration::from_millis(200));
        assert_eq!(settings.delay, Duration::from_millis(20));
        assert_eq!(settings.faults, Faults { cut: 0.5, ..Faults::default() });
        let words = ["sim", "--requests-per-minute", "60", "--limit-span-ms=500", "--key", "k"];
        let settings = Flags::try_parse_from(words).unwrap().settings;
        let span = Duration::from_millis(500);
        assert_eq!(settings.limits, Limits { requests: Some(60), tokens: None, span });
        assert_eq!(settings.key.as_deref(), Some("k"));
    }

    #[test]
    fn impossible_settings_are_refused() {
        assert!(Flags::try_parse_from(["sim", "--fault-500", "1.1"]).is_err());
        assert!(Flags::try_parse_from(["sim", "--deltas", "0"]).is_err());
        let faults = Faults { cut: 0.6, hang: 0.6, ..Faults::default() };
        assert!(Settings { faults, ..Settings::default() }.check().is_err());
        assert!(Flags::try_parse_from(["sim", "--tokens-per-minute", "0"]).is_err());
        let limits = Limits { span: Duration::ZERO, ..Limits::default() };
        assert!(Settings { limits, ..Settings::default() }.check().is_err());
    }
}
