//! Upper bounds of histograms' buckets.

/// What takes microseconds to seconds: commits, starts. In seconds.
pub const QUICK: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Calls to models. In seconds; an attempt may take an hour.
pub const CALLS: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0,
    1_800.0, 3_600.0,
];

/// Waiting in a queue: from a millisecond to a day. In seconds.
pub const WAITS: &[f64] = &[
    0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0,
];

/// Whole tasks: a call or two, and perhaps a long wait before. In seconds, up to a week.
pub const LIVES: &[f64] = &[
    0.01, 0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 900.0, 3_600.0,
    14_400.0, 43_200.0, 86_400.0, 604_800.0,
];

/// How many at once.
pub const COUNTS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0];
