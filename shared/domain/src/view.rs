//! Views: what counts as one, and the numbers that are kept of them.
//!
//! # The counting rule
//!
//! - A view has an id, which the client chooses for one playing of the media. The same id of the same viewer counts once
//!   on a day in UTC, however often it is sent; without an id each request is a view of its own.
//! - A viewer is unique once on each day, and once for all time.
//! - The owner's own views are logged, and not counted.
//!
//! # What is kept of viewers
//!
//! Numbers for ever; the log of single views, with who and from where, for as long as the deployment says. To tell
//! viewers apart after that a [`ViewerKey`] is kept, which is another one for each media.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ring::digest::{Context, SHA256};

use crate::{Day, Invalid, MediaId, Timestamp, UserId, text};

text! {
    /// The name of one view, chosen by the client: 1–128 visible ASCII characters.
    ViewId = |text| {
        let is_id = (1..=MAX_VIEW_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_id { Ok(text.to_owned()) } else { Err(Invalid::new(format!("must be 1 to {MAX_VIEW_ID_BYTES} visible ASCII characters"))) }
    },
}

/// The longest name of a view.
pub(crate) const MAX_VIEW_ID_BYTES: usize = 128;

/// How many characters are kept of what a client says that it is.
const MAX_USER_AGENT_CHARS: usize = 256;

/// Over how many shards the views of a media are spread. It may never change: a viewer is looked for in theirs.
const SHARDS: u8 = 8;

/// How long after a day's end it is remembered who was there on it: longer than any request that began on it takes, on an
/// instance whose clock is behind.
const VIEWER_OF_DAY_KEPT: Duration = Duration::from_hours(24);

/// One view of a media.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The media.
    pub media_id: MediaId,
    /// Who saw it.
    pub viewer_id: UserId,
    /// The view's own name.
    pub id: ViewId,
    /// When it was told of.
    pub viewed_at: Timestamp,
    /// Where in the media the viewer was, in seconds, as far as the client says.
    pub position_seconds: Option<f64>,
    /// Whether it is counted, or only logged.
    pub is_counted: bool,
    /// The address that it was told from.
    pub source_ip: String,
    /// What the client says that it is, at most 256 characters of it.
    pub user_agent: String,
}

impl View {
    /// What is logged of a client's name for itself.
    pub fn user_agent(text: &str) -> String {
        text.chars().take(MAX_USER_AGENT_CHARS).collect()
    }

    /// The day that it counts for.
    pub fn day(&self) -> Day {
        Day::of(self.viewed_at)
    }

    /// Its viewer, among those of this media.
    pub fn viewer_key(&self) -> ViewerKey {
        ViewerKey::of(self.media_id, self.viewer_id)
    }

    /// Until when it is remembered that its viewer was there on its day.
    pub fn viewer_of_day_expires_at(&self) -> Timestamp {
        self.day().end().plus(VIEWER_OF_DAY_KEPT)
    }
}

/// A viewer among those of one media, without saying who: the first 128 bits of a SHA-256 of both ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewerKey(u128);

impl ViewerKey {
    fn of(media_id: MediaId, viewer_id: UserId) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(media_id.uuid().as_bytes());
        digest.update(viewer_id.uuid().as_bytes());
        let digest = digest.finish();
        let bits = digest.as_ref().iter().take(16);
        Self(bits.fold(0, |number, byte| (number << 8) | u128::from(*byte)))
    }

    /// Where everything of this viewer is.
    pub fn shard(self) -> ViewShard {
        ViewShard(self.0.to_be_bytes()[15] % SHARDS)
    }
}

impl fmt::Display for ViewerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// One of the parts that the views of a media are spread over, so that no counter is written by all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewShard(u8);

impl ViewShard {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }
}

impl fmt::Display for ViewShard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// As whom a view counts its viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// As nobody: the view is only logged.
    Uncounted,
    /// As somebody who was never there.
    New,
    /// As somebody who was there on another day.
    NewOfDay,
    /// As somebody who was there on the same day.
    Known,
}

/// Numbers of views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewCounts {
    /// How many views.
    pub views: u64,
    /// Of how many viewers.
    pub unique_viewers: u64,
}

impl ViewCounts {
    /// What one view adds to the numbers of its day.
    pub fn of_day(viewer: Viewer) -> Self {
        Self::of(viewer, matches!(viewer, Viewer::New | Viewer::NewOfDay))
    }

    /// What one view adds to the numbers of all time.
    pub fn of_all_time(viewer: Viewer) -> Self {
        Self::of(viewer, viewer == Viewer::New)
    }

    fn of(viewer: Viewer, is_unique: bool) -> Self {
        Self { views: u64::from(viewer != Viewer::Uncounted), unique_viewers: u64::from(is_unique) }
    }
}

impl std::ops::AddAssign for ViewCounts {
    fn add_assign(&mut self, other: Self) {
        self.views += other.views;
        self.unique_viewers += other.unique_viewers;
    }
}

/// The numbers of each day from `first` to `last`, with zeros where nothing was counted. Of a day there may be several
/// numbers, one of each shard; a viewer has only one shard, so the sums are exact.
pub fn daily_views(
    counted: impl IntoIterator<Item = (Day, ViewCounts)>,
    first: Day,
    last: Day,
) -> Vec<(Day, ViewCounts)> {
    let mut days: BTreeMap<Day, ViewCounts> =
        first.through(last).map(|day| (day, ViewCounts::default())).collect();
    for (day, counts) in counted {
        if let Some(sum) = days.get_mut(&day) {
            *sum += counts;
        }
    }
    days.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn view(viewer: u128, viewed_at: &str) -> View {
        View {
            media_id: MediaId::new(Uuid::from_u128(1)),
            viewer_id: UserId::new(Uuid::from_u128(viewer)),
            id: "view".parse().unwrap(),
            viewed_at: viewed_at.parse().unwrap(),
            position_seconds: None,
            is_counted: true,
            source_ip: "203.0.113.7".to_owned(),
            user_agent: String::new(),
        }
    }

    #[test]
    fn a_view_id_is_visible_ascii() {
        for id in ["1", "3fa85f64-5717-4562", "a#b", &"a".repeat(128)] {
            assert!(id.parse::<ViewId>().is_ok(), "{id}");
        }
        for wrong in ["", "a b", "é", "a\n", &"a".repeat(129)] {
            assert!(wrong.parse::<ViewId>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_view_counts_for_its_day() {
        let view = view(2, "2026-11-20T23:59:59Z");
        assert_eq!(view.day().to_string(), "2026-11-20");
        assert_eq!(view.viewer_of_day_expires_at().to_string(), "2026-11-22T00:00:00Z");
    }

    #[test]
    fn a_viewer_has_another_key_for_each_media() {
        let one = view(2, "2026-11-20T00:00:00Z");
        let another_media = View { media_id: MediaId::new(Uuid::from_u128(3)), ..one.clone() };
        assert_eq!(one.viewer_key(), view(2, "2026-11-21T00:00:00Z").viewer_key());
        assert_ne!(one.viewer_key(), another_media.viewer_key());
        assert_ne!(one.viewer_key(), view(3, "2026-11-20T00:00:00Z").viewer_key());
        // SHA-256 of 00…01 and 00…02, 16 bytes each: it may never change.
        assert_eq!(one.viewer_key().to_string(), "78d68721debb423cf880232869a63e25");
    }

    #[test]
    fn viewers_are_spread_over_all_shards() {
        let mut of_shard: BTreeMap<ViewShard, u32> = BTreeMap::new();
        for viewer in 0..8_000 {
            *of_shard.entry(view(viewer, "2026-11-20T00:00:00Z").viewer_key().shard()).or_default() += 1;
        }
        assert!(ViewShard::all().eq(of_shard.keys().copied()));
        assert!(of_shard.values().all(|viewers| (800..1_200).contains(viewers)), "{of_shard:?}");
    }

    #[test]
    fn a_client_may_say_much_of_itself() {
        assert_eq!(View::user_agent("curl/8.7.1"), "curl/8.7.1");
        assert_eq!(View::user_agent(&"é".repeat(300)), "é".repeat(256));
    }

    #[test]
    fn a_viewer_is_unique_once_a_day_and_once_for_all_time() {
        let counts = |views, unique_viewers| ViewCounts { views, unique_viewers };
        for (viewer, of_day, of_all_time) in [
            (Viewer::Uncounted, counts(0, 0), counts(0, 0)),
            (Viewer::New, counts(1, 1), counts(1, 1)),
            (Viewer::NewOfDay, counts(1, 1), counts(1, 0)),
            (Viewer::Known, counts(1, 0), counts(1, 0)),
        ] {
            assert_eq!(ViewCounts::of_day(viewer), of_day, "{viewer:?}");
            assert_eq!(ViewCounts::of_all_time(viewer), of_all_time, "{viewer:?}");
        }
    }

    proptest! {
        #[test]
        fn every_day_is_there_once_with_the_sum_of_its_shards(
            counted in proptest::collection::vec((0..12_i64, 0..9_u64, 0..9_u64), 0..40),
            first in 0..10_i64, days in 1..6_i64,
        ) {
            let day = |number: i64| Day::of(Timestamp::from_unix_seconds(number * 86_400));
            let last = first + days - 1;
            let counts = counted.iter().map(|(number, views, unique_viewers)| {
                (day(*number), ViewCounts { views: *views, unique_viewers: *unique_viewers })
            });
            let daily = daily_views(counts, day(first), day(last));
            prop_assert!(daily.iter().map(|(day, _)| *day).eq((first..=last).map(day)));
            for (number, (_, sums)) in (first..=last).zip(&daily) {
                let of_day = || counted.iter().filter(|(counted_day, ..)| *counted_day == number);
                prop_assert_eq!(sums.views, of_day().map(|(_, views, _)| views).sum::<u64>());
                prop_assert_eq!(sums.unique_viewers, of_day().map(|(_, _, unique)| unique).sum::<u64>());
            }
        }
    }
}
