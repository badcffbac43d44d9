//! Views of media: their log, who was there, and the counters.
//!
//! Everything of one viewer of a media is in one shard, a partition of its own. A view is one transaction: its entry in
//! the log, on condition that it is not there, and what it adds to the counters of its day and of all time; with the
//! first of a viewer, on that day or ever, that they were there. So it counts once, however often it is tried, and
//! whatever answer gets lost; and the counters are always what the log says.
//!
//! Reading takes one query of each shard, whatever the number of views.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use domain::{Day, MediaId, Timestamp, UserId, View, ViewCounts, ViewShard, Viewer};
use serde::{Deserialize, Serialize};

use crate::Table;
use crate::error::TableError;
use crate::item::{from_item, to_item};
use crate::keys::{Key, SORT, TOTAL_VIEWS, day_of_views};
use crate::transaction::{Condition, Transaction, send_write};

/// What became of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is written.
    Now,
    /// It had been written before.
    Before,
    /// The media is being deleted.
    Closed,
}

/// What is counted of a media's views.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedViews {
    /// Of all time.
    pub total: ViewCounts,
    /// Of days, each once for every shard that has any.
    pub of_days: Vec<(Day, ViewCounts)>,
}

/// How many items of a shard are removed by one call.
const REMOVED_AT_ONCE: i32 = 1_000;

/// For how long a deleted media's views stay closed: longer than any request takes that saw the media before.
const CLOSED_FOR: Duration = Duration::from_hours(24);

/// The places in a view's transaction of what tells something when its condition is not met.
const LOG: usize = 0;
const TOTAL: usize = 1;
const VIEWER_OF_DAY: usize = 3;

/// An entry of the log. The view's own name is in the key.
#[derive(Serialize)]
struct LoggedView<'a> {
    viewer_id: UserId,
    viewed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    position_seconds: Option<f64>,
    is_counted: bool,
    source_ip: &'a str,
    user_agent: &'a str,
    expires_at: i64,
}

/// Says all there is by being there.
#[derive(Serialize)]
struct Mark {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

/// Takes the place of a total for which nothing is counted any more.
#[derive(Serialize)]
struct ClosedTotal {
    closed: bool,
    expires_at: i64,
}

/// A total before its first view has no numbers, nor has one that is closed.
#[derive(Deserialize)]
struct StoredCounts {
    #[serde(rename = "SK")]
    sort: String,
    #[serde(default)]
    views: u64,
    #[serde(default)]
    unique_viewers: u64,
}

impl Table {
    /// Records a view, whose entry in the log is kept for `log_kept`.
    pub async fn record_view(&self, view: &View, log_kept: Duration) -> Result<Recorded, TableError> {
        let Some(mut viewer) = self.probable_viewer(view).await? else { return Ok(Recorded::Before) };
        // What is found out of the viewer stays true, so each round knows more than the one before.
        loop {
            let transaction = self.view_transaction(view, viewer, log_kept)?;
            match self.commit(transaction).await?.first_failed() {
                None => return Ok(Recorded::Now),
                Some(LOG) => return Ok(Recorded::Before),
                Some(TOTAL) => return Ok(Recorded::Closed),
                Some(VIEWER_OF_DAY) => viewer = Viewer::Known,
                Some(_) => viewer = Viewer::NewOfDay,
            }
        }
    }

    /// As whom a view probably counts its viewer; `None` if it is in the log already. A read costs a small part of a
    /// transaction that fails. One that misses what is written meanwhile does no harm: the conditions tell.
    async fn probable_viewer(&self, view: &View) -> Result<Option<Viewer>, TableError> {
        let [logged, of_day, ever] = [Key::view(view), Key::viewer_of_day(view), Key::viewer(view)];
        let found = self.get_many(&[logged.clone(), of_day.clone(), ever.clone()]).await?;
        let sort_keys: Vec<&String> = found.iter().filter_map(|item| item.get(SORT)?.as_s().ok()).collect();
        let is_there = |key: &Key| sort_keys.contains(&&key.sort);
        Ok(match view {
            _ if is_there(&logged) => None,
            View { is_counted: false, .. } => Some(Viewer::Uncounted),
            _ if is_there(&of_day) => Some(Viewer::Known),
            _ if is_there(&ever) => Some(Viewer::NewOfDay),
            _ => Some(Viewer::New),
        })
    }

    fn view_transaction(
        &self,
        view: &View,
        viewer: Viewer,
        log_kept: Duration,
    ) -> Result<Transaction, TableError> {
        let (media_id, shard, day) = (view.media_id, view.viewer_key().shard(), view.day());
        let logged = LoggedView {
            viewer_id: view.viewer_id,
            viewed_at: view.viewed_at,
            position_seconds: view.position_seconds,
            is_counted: view.is_counted,
            source_ip: &view.source_ip,
            user_agent: &view.user_agent,
            expires_at: view.viewed_at.plus(log_kept).unix_seconds(),
        };
        let total = addition(&Key::total_views(media_id, shard), ViewCounts::of_all_time(viewer));
        let mut transaction = self
            .transaction()
            .put(to_item(&Key::view(view), Vec::new(), &logged)?, &Condition::Absent)
            .update(total.condition_expression("attribute_not_exists(closed)"));
        if viewer != Viewer::Uncounted {
            let counts = ViewCounts::of_day(viewer);
            transaction = transaction.update(addition(&Key::day_views(media_id, shard, day), counts));
        }
        if matches!(viewer, Viewer::New | Viewer::NewOfDay) {
            let mark = Mark { expires_at: Some(view.viewer_of_day_expires_at().unix_seconds()) };
            let item = to_item(&Key::viewer_of_day(view), Vec::new(), &mark)?;
            transaction = transaction.put(item, &Condition::Absent);
        }
        if viewer == Viewer::New {
            let item = to_item(&Key::viewer(view), Vec::new(), &Mark { expires_at: None })?;
            transaction = transaction.put(item, &Condition::Absent);
        }
        Ok(transaction)
    }

    /// What is counted of a media from a day on, and of all time. One query of each shard, which reads at most one item a
    /// day and one more.
    pub async fn counted_views(&self, id: MediaId, first: Day) -> Result<CountedViews, TableError> {
        let shards = ViewShard::all().map(|shard| self.counted_views_of_shard(id, shard, first));
        let mut counted = CountedViews::default();
        for shard in futures::future::try_join_all(shards).await?.into_iter().flatten() {
            let counts = ViewCounts { views: shard.views, unique_viewers: shard.unique_viewers };
            if shard.sort == TOTAL_VIEWS {
                counted.total += counts;
            } else if let Some(day) = day_of_views(&shard.sort) {
                counted.of_days.push((day, counts));
            }
        }
        Ok(counted)
    }

    async fn counted_views_of_shard(
        &self,
        id: MediaId,
        shard: ViewShard,
        first: Day,
    ) -> Result<Vec<StoredCounts>, TableError> {
        let (first, total) = (Key::day_views(id, shard, first), Key::total_views(id, shard));
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :partition AND SK BETWEEN :first AND :total")
            .expression_attribute_values(":partition", AttributeValue::S(first.partition))
            .expression_attribute_values(":first", AttributeValue::S(first.sort))
            .expression_attribute_values(":total", AttributeValue::S(total.sort))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| TableError::of("Query", &error))?;
        // A year of these small items, and a few more of clocks that are ahead: always within one page of 1 MB.
        answer.items.unwrap_or_default().into_iter().map(from_item).collect()
    }

    /// Removes what is stored of a media's views, at most 1 000 items of each shard, after closing them, so that nothing
    /// comes after. Answers whether nothing is left.
    pub async fn remove_views(&self, id: MediaId, now: Timestamp) -> Result<bool, TableError> {
        let shards = ViewShard::all().map(|shard| self.remove_views_of_shard(id, shard, now));
        let is_all = futures::future::try_join_all(shards).await?;
        Ok(is_all.into_iter().all(|is_all| is_all))
    }

    async fn remove_views_of_shard(
        &self,
        id: MediaId,
        shard: ViewShard,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        let total = Key::total_views(id, shard);
        let closed = ClosedTotal { closed: true, expires_at: now.plus(CLOSED_FOR).unix_seconds() };
        let closing = self.client.put_item().table_name(&self.name).set_item(Some(to_item(
            &total,
            Vec::new(),
            &closed,
        )?));
        send_write(|| closing.clone().send()).await.map_err(|error| TableError::of("PutItem", &error))?;

        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :partition")
            .expression_attribute_values(":partition", AttributeValue::S(total.partition.clone()))
            .projection_expression("PK, SK")
            .consistent_read(true)
            .limit(REMOVED_AT_ONCE)
            .send()
            .await
            .map_err(|error| TableError::of("Query", &error))?;
        let is_all = answer.last_evaluated_key.is_none();
        let total = total.attributes();
        let items = answer.items.unwrap_or_default().into_iter().filter(|item| *item != total);
        self.delete_many(items.collect()).await?;
        Ok(is_all)
    }
}

/// Adds to the numbers under a key.
fn addition(key: &Key, counts: ViewCounts) -> UpdateBuilder {
    let number = |number: u64| AttributeValue::N(number.to_string());
    UpdateBuilder::default()
        .set_key(Some(key.attributes()))
        .update_expression("ADD #views :views, unique_viewers :unique_viewers")
        .expression_attribute_names("#views", "views")
        .expression_attribute_values(":views", number(counts.views))
        .expression_attribute_values(":unique_viewers", number(counts.unique_viewers))
}
