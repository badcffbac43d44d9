//! When a stream starts and ends, by its time stamps, counted as `ffprobe` counts.

use super::pes::{CLOCK_PERIOD, CLOCK_RATE};

/// A time this little before the first one is meant as such; anything else before it is after the clock's next turn.
const MAX_BEFORE_TICKS: u64 = 60 * 90_000;
/// An end that lies further from the one before is the mark of a jump in time, and not believed.
const MAX_STEP_SECONDS: f64 = 60.0;
/// Decoding times that are kept for the frame rate.
const MAX_DECODING_TIMES: usize = 512;

/// Seconds since `reference` of a time stamp, past any turn of the clock.
pub(super) fn seconds_since(reference: u64, stamp: u64) -> f64 {
    let ticks = stamp.wrapping_sub(reference) % CLOCK_PERIOD;
    let before = CLOCK_PERIOD - ticks;
    #[expect(clippy::cast_precision_loss, reason = "33 bits fit")]
    if before <= MAX_BEFORE_TICKS { -(before as f64) / CLOCK_RATE } else { ticks as f64 / CLOCK_RATE }
}

/// Times in seconds since the program's first time stamp.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    pub(super) start: Option<f64>,
    /// Length, once the end was seen.
    pub(super) duration: Option<f64>,
    last_duration: f64,
    decoding: Vec<f64>,
}

impl Timeline {
    /// Adds the times of a frame near the start.
    pub(super) fn add_head(&mut self, presentation: f64, decoding: f64) {
        // Frames that are shown before the first one that is stored do not count: they lack what they refer to.
        self.start.get_or_insert(presentation);
        if self.decoding.len() < MAX_DECODING_TIMES {
            self.decoding.push(decoding);
        }
    }

    /// Adds the time of a frame near the end.
    pub(super) fn add_tail(&mut self, presentation: f64, frame_seconds: f64) {
        let Some(start) = self.start else { return };
        let duration = presentation + frame_seconds - start;
        if duration <= 0.0 {
            return;
        }
        let is_later = self.duration.is_none_or(|known| known < duration);
        let is_near = (duration - self.last_duration).abs() < MAX_STEP_SECONDS;
        if self.duration.is_none() || self.last_duration <= 0.0 || (is_later && is_near) {
            self.duration = Some(duration);
        }
        self.last_duration = duration;
    }

    /// Frames per second between the first and the last of the decoding times, up to a jump.
    pub(super) fn frame_rate(&self) -> Option<f64> {
        let first = *self.decoding.first()?;
        let steps = self.decoding.windows(2).take_while(|pair| pair[1] > pair[0] && pair[1] - pair[0] < 10.0);
        let frames = steps.count();
        let last = *self.decoding.get(frames)?;
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        (frames > 0).then(|| frames as f64 / (last - first))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]

    use super::*;

    #[test]
    fn the_clock_turns_over() {
        assert_eq!(seconds_since(90_000, 180_000), 1.0);
        assert_eq!(seconds_since(CLOCK_PERIOD - 90_000, 90_000), 2.0);
        assert_eq!(seconds_since(90_000, 45_000), -0.5);
        assert_eq!(seconds_since(0, CLOCK_PERIOD - 90_000), -1.0);
        assert!(seconds_since(100 * 90_000, 0) > 95_000.0);
    }

    #[test]
    fn the_latest_frame_ends_a_stream() {
        let mut timeline = Timeline::default();
        timeline.add_head(0.04, 0.0);
        timeline.add_head(0.0, 0.04);
        for presentation in [9.0, 9.2, 9.08, 9.04] {
            timeline.add_tail(presentation, 0.04);
        }
        assert!((timeline.duration.unwrap() - 9.2).abs() < 1e-9);
        assert!((timeline.frame_rate().unwrap() - 25.0).abs() < 1e-9);
        // A jump in time.
        timeline.add_tail(5000.0, 0.04);
        assert!((timeline.duration.unwrap() - 9.2).abs() < 1e-9);
    }

    #[test]
    fn times_before_the_start_are_no_end() {
        let mut timeline = Timeline::default();
        timeline.add_head(10.0, 10.0);
        timeline.add_tail(3.0, 0.04);
        assert_eq!((timeline.duration, timeline.frame_rate()), (None, None));
    }
}
