//! The frame rate of a track that does not say it, from when its first frames are shown.
//!
//! Timestamps are rounded to ticks, mostly of a millisecond, so a rate is one that frames fit to, not one that is
//! measured. Frames that come as they please have none, which `ffprobe` says too: it is `ffprobe`'s measure.
//!
//! What the stream itself says of its rate goes first, in whole ticks: see [`in_ticks`].

use crate::metadata::{float, greatest_common_divisor};

/// As many frames as count.
const FRAMES: usize = 41;
/// As many as are looked at: where frames are not stored in the order in which they are shown, the last ones of a
/// stretch have gaps between them.
pub(crate) const MAX_FRAMES: usize = 2 * FRAMES;
/// With fewer there is nothing to be learned.
const MIN_FRAMES: usize = 4;
/// With this many frames the greatest common divisor of their distances counts.
pub(crate) const MIN_FRAMES_FOR_DIVISOR: usize = 17;
/// How far frames may be from a rate's raster, as the variance in frames.
const MAX_VARIANCE: f64 = 0.01;
/// How far a rate in whole ticks may be from a usual one, as a share.
const MAX_ROUNDING: f64 = 0.01;
/// So that 40 ticks are not 39 for an error in the last digit.
const EPSILON_TICKS: f64 = 1e-6;

/// Frames per second by the timestamps of a track's first frames, in any order; 0 when they fit no rate.
pub(crate) fn estimate(mut timestamps: Vec<i64>, tick_seconds: f64) -> f64 {
    timestamps.sort_unstable();
    timestamps.dedup();
    timestamps.truncate(FRAMES);
    let (Some(first), Some(last)) = (timestamps.first(), timestamps.last()) else { return 0.0 };
    if timestamps.len() < MIN_FRAMES {
        return 0.0;
    }
    let mean_ticks = float(last.abs_diff(*first)) / float(timestamps.len() as u64 - 1);
    let rate = divisor_rate(&timestamps, tick_seconds)
        .or_else(|| fitting_rate(&timestamps, tick_seconds, mean_ticks * tick_seconds));
    rate.filter(|rate| (1.0 / (rate * tick_seconds) - mean_ticks).abs() <= 1.0).unwrap_or(0.0)
}

/// What `ffprobe` makes of `rate`, frames in so many seconds, where a stream tells that but its container counts in
/// ticks: each frame lasts whole ticks, rounded down, and the rate that follows is that of a usual one nearby. So 30
/// frames a second become 30.303 in milliseconds. `None` when a frame is shorter than a tick.
pub(crate) fn in_ticks(rate: (u64, u64), tick_seconds: f64) -> Option<f64> {
    let (frames, seconds) = rate;
    let ticks = (float(seconds) / float(frames) / tick_seconds + EPSILON_TICKS).floor();
    let rate = 1.0 / (ticks * tick_seconds);
    let error = |usual: &f64| (rate / usual - 1.0).abs();
    let nearest = usual_rates().min_by(|a, b| error(a).total_cmp(&error(b)));
    let nearest = nearest.filter(|usual| error(usual) < MAX_ROUNDING);
    (ticks >= 1.0 && rate.is_finite() && rate > 0.0).then(|| nearest.unwrap_or(rate))
}

/// One frame for each common divisor of all distances, if that is clearly more than a tick. The first few may jitter.
fn divisor_rate(timestamps: &[i64], tick_seconds: f64) -> Option<f64> {
    if timestamps.len() < MIN_FRAMES_FOR_DIVISOR {
        return None;
    }
    let distances = timestamps.windows(2).skip(3).map(|pair| pair[1].abs_diff(pair[0]));
    let divisor = float(distances.reduce(greatest_common_divisor)?);
    (divisor > 1.0 && divisor * tick_seconds > 0.002).then(|| 1.0 / (divisor * tick_seconds))
}

/// The usual rate to whose raster the frames come closest.
fn fitting_rate(timestamps: &[i64], tick_seconds: f64, mean_seconds: f64) -> Option<f64> {
    let seconds: Vec<f64> =
        timestamps.iter().skip(1).map(|ticks| float(ticks.unsigned_abs()) * tick_seconds).collect();
    let candidates = usual_rates().filter(|rate| *rate >= 1.0 && mean_seconds >= 0.8 / rate);
    let measured = candidates.map(|rate| (rate, variance(&seconds, rate)));
    let best = measured.reduce(|best, next| if next.1 < best.1 { next } else { best })?;
    (best.1 < MAX_VARIANCE).then_some(best.0)
}

/// Every twelfth of a frame up to 30, every whole rate up to 60, some higher ones, and the NTSC family.
pub(crate) fn usual_rates() -> impl Iterator<Item = f64> {
    let twelfths = (1..=360).map(|twelfth| f64::from(twelfth) / 12.0);
    let ntsc = [24, 30, 60, 12, 15, 48].map(|rate| f64::from(rate) * 1000.0 / 1001.0);
    twelfths.chain((31..=60).map(f64::from)).chain([80.0, 120.0, 240.0]).chain(ntsc)
}

/// Of the distances to a raster of `rate`, or to one that is shifted by half a frame.
fn variance(seconds: &[f64], rate: f64) -> f64 {
    let count = float(seconds.len() as u64);
    let of_raster = |shift: f64| {
        let errors = seconds.iter().map(|seconds| {
            let position = seconds * rate + shift;
            position - position.round()
        });
        let (sum, squares) =
            errors.fold((0.0, 0.0), |(sum, squares), error| (sum + error, squares + error * error));
        squares / count - (sum / count) * (sum / count)
    };
    of_raster(0.0).min(of_raster(0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: f64, frames: u32) -> Vec<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
        (0..frames).map(|frame| (f64::from(frame) * 1000.0 / rate).round() as i64).collect()
    }

    #[test]
    fn rounded_timestamps_fit_the_rate_they_came_from() {
        for rate in [24.0, 25.0, 29.97, 23.976, 30.0, 15.0, 10.0, 50.0, 60.0, 7.0] {
            let estimated = estimate(at(rate, 41), 0.001);
            assert!((estimated - rate).abs() < 0.002, "{rate}: {estimated}");
        }
        let reordered = [0, 160, 80, 40, 120].map(|ticks: i64| ticks * 1000).to_vec();
        assert!((estimate(reordered, 1e-6) - 25.0).abs() < 1e-9);
    }

    #[test]
    fn a_raster_may_start_half_a_frame_late() {
        let half_a_frame = |rate: f64| at(rate, 2)[1] / 2;
        for rate in [29.97, 24.0, 15.0] {
            let late = at(rate, 41).iter().map(|ticks| ticks + half_a_frame(rate)).collect();
            let estimated = estimate(late, 0.001);
            assert!((estimated - rate).abs() < 0.002, "{rate}: {estimated}");
        }
    }

    #[test]
    fn few_frames_of_seconds_are_no_rhythm() {
        assert!((estimate(at(1.0, 10), 0.001) - 1.0).abs() < 1e-9);
        assert!(estimate(at(0.5, 10), 0.001).abs() < f64::EPSILON);
    }

    #[test]
    fn rates_of_streams_are_in_whole_ticks() {
        for (rate, wanted) in [
            ((25, 1), 25.0),
            ((50, 1), 50.0),
            ((30, 1), 30.303),
            ((30_000, 1001), 30.303),
            ((24, 1), 24.417),
            ((15, 1), 15.167),
            ((12, 1), 12.083),
            ((60, 1), 62.5),
            ((120, 1), 125.0),
        ] {
            let found = in_ticks(rate, 0.001).unwrap_or_default();
            assert!((found - wanted).abs() < 0.0005, "{rate:?}: {found}");
        }
        for (rate, tick) in [((2000, 1), 0.001), ((1, 1), 0.0), ((u64::MAX, 1), 0.001), ((0, 1), 0.001)] {
            assert_eq!(in_ticks(rate, tick), None, "{rate:?}");
        }
    }

    #[test]
    fn frames_without_a_rhythm_have_no_rate() {
        let mut timestamps = at(30.0, 41);
        timestamps.retain(|ticks| ticks % 7 > 1);
        assert!(estimate(timestamps, 0.001).abs() < f64::EPSILON);
        assert!(estimate(vec![0, 40, 80], 0.001).abs() < f64::EPSILON);
        assert!(estimate(vec![i64::MIN, 0, 1, i64::MAX], 0.001).abs() < f64::EPSILON);
        assert!(estimate(vec![5; 40], 0.0).abs() < f64::EPSILON);
    }
}
