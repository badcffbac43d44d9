//! Waiting for a media whose file is stored: the record is read again and again, with growing pauses.

use std::time::Duration;

use api::{Clock, Code, Problem};
use domain::{Media, MediaId, Status};
use table::{Record, Table};
use tokio::time::{Instant, sleep};

/// The first pause. The shortest way from S3 through the queue takes about as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Each pause is half as long again as the one before, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How far a media has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It can be played.
    Ready,
    /// It cannot be played yet.
    NotReady,
}

/// Waits until the media can be played, or until it never will be, but no longer than `within`.
pub(crate) async fn wait_until_ready(
    table: &Table,
    clock: &Clock,
    media_id: MediaId,
    within: Duration,
) -> Result<Progress, Problem> {
    let deadline = Instant::now() + within;
    let mut pause = FIRST_PAUSE;
    loop {
        let media = match table.media(media_id, clock.now()).await? {
            Record::Media(media) => *media,
            Record::Tombstone { .. } | Record::Absent => return Err(Problem::not_found("media")),
        };
        let may_become_ready = match media.status() {
            Status::Ready => return Ok(Progress::Ready),
            Status::Rejected => return Err(rejected(&media)),
            Status::Deleting => return Err(Problem::not_found("media")),
            Status::Expired => {
                let detail = "The upload was given up meanwhile. Send the file again.";
                return Err(Problem::new(Code::UploadEnded, detail));
            }
            // Somebody has to look at it first.
            Status::Failed => false,
            Status::AwaitingUpload | Status::Completing | Status::Processing => true,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if !may_become_ready || left.is_zero() {
            return Ok(Progress::NotReady);
        }
        sleep(pause.min(left)).await;
        pause = (pause + pause / 2).min(LONGEST_PAUSE);
    }
}

fn rejected(media: &Media) -> Problem {
    let detail = media.failure().map_or("The file broke a rule.", |failure| &failure.detail);
    Problem::new(Code::MediaRejected, detail)
}
