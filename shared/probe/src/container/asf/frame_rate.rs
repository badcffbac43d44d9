//! The frame rate by the times of the first frames: ASF need not say it.
//!
//! Times are in milliseconds, so that frames of 29.97 a second seem to be 33 or 34 ms apart.

use crate::metadata::float;

/// Frames in a second of usual rates, as a fraction, the more usual ones first.
const USUAL_RATES: [(u32, u32); 18] = [
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (24, 1),
    (24_000, 1001),
    (15, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (12, 1),
    (10, 1),
    (20, 1),
    (25, 2),
    (15, 2),
    (8, 1),
    (5, 1),
    (15_000, 1001),
    (120, 1),
];
/// How far a time may be off the one that the rate makes of it.
const TOLERANCE_MILLISECONDS: f64 = 1.5;
/// How far the average distance of frames may be off: some may have been left out.
const AVERAGE_TOLERANCE_MILLISECONDS: f64 = 1.0;
const MIN_FRAMES: usize = 3;
/// Fewer frames a second than this are slides.
const MIN_AVERAGE: f64 = 1.0;

/// The frame rate for frames at `times`, in milliseconds; `said` is the time of a frame in units of 100 ns, as the
/// file says, or 0. The answer is 0 where nothing tells.
pub(super) fn estimate(times: &[u32], said: u64) -> f64 {
    let said_rate = if said == 0 { 0.0 } else { 1e7 / float(said) };
    let mut times = times.to_vec();
    times.sort_unstable();
    times.dedup();
    if times.len() < MIN_FRAMES {
        return usual(said_rate).unwrap_or(said_rate);
    }
    let said_usual = usual(said_rate).filter(|rate| error(&times, *rate).is_some());
    let fits = said_usual.or_else(|| {
        let usual = USUAL_RATES.iter().map(|rate| frames_per_second(*rate));
        let rates = usual.chain((1..=60).map(f64::from));
        let errors = rates.filter_map(|rate| error(&times, rate).map(|error| (rate, error)));
        errors.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(rate, _)| rate)
    });
    fits.unwrap_or_else(|| {
        let average = average_rate(&times);
        // What is said is believed before an average of frames some of which were left out.
        if said_rate > 0.0 {
            usual(said_rate).unwrap_or(said_rate)
        } else if average >= MIN_AVERAGE {
            average
        } else {
            0.0
        }
    })
}

fn frames_per_second((frames, seconds): (u32, u32)) -> f64 {
    f64::from(frames) / f64::from(seconds)
}

/// The usual rate that `rate` is within a thousandth part of: 333 667 units of 100 ns are 29.97 frames a second.
fn usual(rate: f64) -> Option<f64> {
    let rates = USUAL_RATES.iter().map(|usual| frames_per_second(*usual));
    rates
        .min_by(|a, b| (a - rate).abs().total_cmp(&(b - rate).abs()))
        .filter(|usual| (usual - rate).abs() < rate / 1000.0)
}

/// How badly `times` fit to a rate: the variance of their distances from where the rate has them; `None` when they do
/// not fit at all.
fn error(times: &[u32], rate: f64) -> Option<f64> {
    let period = 1000.0 / rate;
    if (1000.0 / average_rate(times) - period).abs() > AVERAGE_TOLERANCE_MILLISECONDS {
        return None;
    }
    let first = f64::from(*times.first()?);
    let count = f64::from(u32::try_from(times.len()).ok()?);
    let distances = times.iter().map(|time| {
        let since = f64::from(*time) - first;
        since - (since / period).round() * period
    });
    let distances: Vec<f64> = distances.collect();
    let mean = distances.iter().sum::<f64>() / count;
    let is_near = |distance: &f64| (distance - mean).abs() <= TOLERANCE_MILLISECONDS;
    let squares = distances.iter().map(|distance| (distance - mean).powi(2));
    distances.iter().all(is_near).then(|| squares.sum::<f64>() / count)
}

fn average_rate(times: &[u32]) -> f64 {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return 0.0 };
    let intervals = u32::try_from(times.len() - 1).unwrap_or(u32::MAX);
    f64::from(intervals) * 1000.0 / f64::from((last - first).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(frames: u32, seconds: u32, count: u32) -> Vec<u32> {
        (0..count).map(|index| 3046 + index * 1000 * seconds / frames).collect()
    }

    #[track_caller]
    fn check(times: &[u32], said: u64, wanted: f64) {
        let rate = estimate(times, said);
        assert!((rate - wanted).abs() < 1e-6, "{rate} {wanted}");
    }

    #[test]
    fn steady_frames_have_a_usual_rate() {
        check(&times(25, 1, 5), 0, 25.0);
        check(&times(30_000, 1001, 60), 0, 30_000.0 / 1001.0);
        check(&times(15, 1, 5), 0, 15.0);
        // Sixty frames tell 24 from 23.976.
        check(&times(24, 1, 60), 0, 24.0);
        // The order of bidirectional frames is that of decoding.
        check(&[40, 120, 80, 0, 200, 160], 0, 25.0);
    }

    #[test]
    fn what_is_said_decides_between_rates_that_fit() {
        check(&times(30, 1, 4), 333_667, 30_000.0 / 1001.0);
        check(&times(30, 1, 4), 333_333, 30.0);
        check(&times(30, 1, 4), 400_000, 30.0);
        check(&times(30, 1, 60), 0, 30.0);
    }

    #[test]
    fn a_frame_that_was_left_out_does_not_change_the_rate() {
        let mut dropped = times(30_000, 1001, 60);
        dropped.remove(20);
        check(&dropped, 0, 30_000.0 / 1001.0);
    }

    #[test]
    fn unsteady_frames_have_the_rate_that_is_said_or_their_average() {
        check(&[0, 10, 80, 100], 400_000, 25.0);
        check(&[0, 10, 80, 100], 0, 30.0);
        check(&[0, 5000, 11_000], 0, 0.0);
    }

    #[test]
    fn too_few_frames_tell_nothing() {
        check(&[], 0, 0.0);
        check(&[5, 5, 5], 0, 0.0);
        check(&[5], 417_083, 24_000.0 / 1001.0);
        check(&[], 300_000, 1e7 / 300_000.0);
        check(&[], u64::MAX, 1e7 / 18_446_744_073_709_551_616.0);
    }
}
