//! Telling the table of views, with where they came from: what API Gateway saw of the request, never what a client's
//! header says of its address.

use std::num::NonZeroU16;
use std::time::Duration;

use domain::{Media, Timestamp, UserId, View, ViewId};
use table::{Recorded, Table, TableError};

use crate::environment::{Environment, EnvironmentError};
use crate::metrics;
use crate::request::Request;

/// How long a player waits at most for its view to be recorded.
const PLAYBACK_PATIENCE: Duration = Duration::from_secs(2);

/// Records views.
#[derive(Clone, Copy, Debug)]
pub struct ViewRecorder {
    log_kept: Duration,
}

impl ViewRecorder {
    /// With `VIEW_LOG_RETENTION_DAYS`: for so long the log of single views is kept. At least a day, for which the log is
    /// what tells a view that is sent again.
    pub fn of(environment: &Environment) -> Result<Self, EnvironmentError> {
        let days: NonZeroU16 = environment.parsed("VIEW_LOG_RETENTION_DAYS")?;
        Ok(Self { log_kept: Duration::from_hours(24 * u64::from(days.get())) })
    }

    /// Records a view that somebody told of.
    pub async fn record(&self, table: &Table, view: &View) -> Result<Recorded, TableError> {
        table.record_view(view, self.log_kept).await
    }

    /// Records the view of a player, which comes again with the same id for every part of the file that it asks for. It
    /// plays whether that works or not: a failure is logged.
    pub async fn record_playback(&self, table: &Table, view: &View) {
        let media_id = view.media_id;
        let reason = match tokio::time::timeout(PLAYBACK_PATIENCE, self.record(table, view)).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        tracing::error!({ metrics::VIEWS_NOT_RECORDED } = 1, %media_id, reason, "the view was not recorded");
    }
}

impl Request {
    /// The view of a media that this request tells of. Its owner's own is not counted.
    pub fn view(&self, media: &Media, viewer_id: UserId, id: ViewId, viewed_at: Timestamp) -> View {
        View {
            media_id: media.id,
            viewer_id,
            id,
            viewed_at,
            position_seconds: None,
            is_counted: viewer_id != media.owner_id,
            source_ip: self.source_ip().to_owned(),
            user_agent: View::user_agent(self.user_agent()),
        }
    }
}
