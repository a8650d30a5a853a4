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
    #[arg(long, default_value = "127.0.0.1:9900")]
    pub listen: SocketAddr,
    /// Milliseconds from a request to the first byte of its answer.
    #[arg(long = "latency-ms", value_name = "MS", value_parser = millis, default_value = "0")]
    pub latency: Duration,
    /// Deltas (each counts as one token) in an answer, from 1 to 1,000,000.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DELTAS)))]
    pub deltas: u32,
    /// Milliseconds between two deltas; an answer that is not streamed takes as long as a streamed one.
    #[arg(long = "delay-ms", value_name = "MS", value_parser = millis, default_value = "0")]
    pub delay: Duration,
    /// How often calls fail by chance.
    #[command(flatten)]
    pub faults: Faults,
    /// Seed of the chance: the same seed gives the same sequence of faults.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// The share of calls, each from 0 to 1 and together at most 1, that fail by chance. A prompt whose
/// marker has steps is exempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, clap::Args)]
pub struct Faults {
    /// Share of calls answered with status 500.
    #[arg(long = "fault-500", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub http_500: f64,
    /// Share of calls answered with a rate limit, without Retry-After.
    #[arg(long = "fault-429", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub http_429: f64,
    /// Share of calls whose connection is aborted in the middle of the answer.
    #[arg(long = "fault-cut", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub cut: f64,
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
            deltas: 24,
            delay: Duration::ZERO,
            faults: Faults::default(),
            seed: 0,
        }
    }
}

impl Settings {
    /// Checks what the flags' own parsers cannot see, or what a caller in the same process may
    /// have set.
    pub(crate) fn check(&self) -> io::Result<()> {
        let shares = self.faults.shares();
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Err(invalid("a fault rate is not between 0 and 1"));
        }
        if shares.iter().sum::<f64>() > 1.0 {
            return Err(invalid("the fault rates add up to more than 1"));
        }
        if !(1..=MAX_DELTAS).contains(&self.deltas) {
            return Err(invalid("an answer has from 1 to 1,000,000 deltas"));
        }
        Ok(())
    }
}

impl Faults {
    fn shares(&self) -> [f64; 5] {
        [self.http_500, self.http_429, self.cut, self.garbage, self.hang]
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
    }

    #[test]
    fn impossible_settings_are_refused() {
        assert!(Flags::try_parse_from(["sim", "--fault-500", "1.1"]).is_err());
        assert!(Flags::try_parse_from(["sim", "--deltas", "0"]).is_err());
        let faults = Faults { cut: 0.6, hang: 0.6, ..Faults::default() };
        assert!(Settings { faults, ..Settings::default() }.check().is_err());
    }
}
