//! How an upload is completed.
//!
//! Parts are listed and compared with the plan; then the record becomes `completing`, in a transaction with the work
//! that has the sweep look after it soon; then S3 joins them. From there on it is too late to abort, and whoever asks
//! again goes on: with what S3 still lists if the request before died, or with the object if it is there. If S3 finds that
//! the parts have changed, the upload is opened again. Each step is decided from the record as it is, and written on
//! condition that it still is that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use api::{Code, Problem};
use buckets::Completed;
use domain::{
    Arrival, ETag, Media, MiniatureState, ObjectVersion, PartNumber, PartPlan, Slot, State as MediaState,
    Status, Upload, UploadMethod, UploadedPart,
};
use probe::Metadata;
use table::{ChangeError, MediaChange, Record};

use crate::State;
use crate::request::NamedPart;

/// How often it is decided again because the record or the parts changed in between.
const ATTEMPTS: usize = 5;

/// How completing an upload ended, short of a problem.
pub(crate) struct Outcome {
    /// The media, as far as it is known.
    pub(crate) media: Media,
    /// Its metadata, once it is processed.
    pub(crate) metadata: Option<Metadata>,
    /// The object's tag; `None` while S3 is still making it.
    pub(crate) etag: Option<String>,
}

/// One request to complete an upload.
pub(crate) struct Completion<'a> {
    pub(crate) state: &'a State,
    pub(crate) upload: &'a Upload,
    /// The parts that the client named.
    pub(crate) named: Option<&'a [NamedPart]>,
    pub(crate) begun: Instant,
}

impl Completion<'_> {
    /// Decides again as long as something changes in between, and not forever.
    pub(crate) async fn run(&self) -> Result<Outcome, Problem> {
        for _ in 0..ATTEMPTS {
            let (media, metadata) = self.read().await?;
            let outcome = match self.upload.slot {
                Slot::Source => self.source(&media).await?,
                Slot::Miniature => self.miniature(&media).await?,
            };
            match outcome {
                Step::Object(media, ObjectVersion { etag, .. }) => {
                    return Ok(Outcome { media: *media, metadata, etag: Some(etag) });
                }
                Step::StillWorking(media) => return Ok(Outcome { media: *media, metadata, etag: None }),
                Step::Changed => {}
            }
        }
        Err(ChangeError::Outdated.into())
    }

    async fn read(&self) -> Result<(Media, Option<Metadata>), Problem> {
        let now = self.state.clock.now();
        match self.state.table.media_with_metadata(self.upload.media_id, now).await? {
            (Record::Media(media), metadata) if media.status() != Status::Deleting => Ok((*media, metadata)),
            _ => Err(Problem::not_found("upload")),
        }
    }

    async fn source(&self, media: &Media) -> Result<Step, Problem> {
        if let Some(source) = media.source() {
            return Ok(Step::object(media, source));
        }
        if !media.is_awaited() {
            return Err(Problem::upload_ended());
        }
        match (&self.upload.method, self.upload.part_plan()) {
            (UploadMethod::Multipart { s3_upload_id, .. }, Some(plan)) => {
                self.join(media, s3_upload_id, &plan).await
            }
            _ => self.find(media, object_missing()).await,
        }
    }

    /// Has S3 join the parts, if they are what they should be.
    async fn join(&self, media: &Media, s3_upload_id: &str, plan: &PartPlan) -> Result<Step, Problem> {
        let (ingest, key) = (&self.state.ingest, self.upload.key());
        let Some(mut parts) = ingest.list_parts(&key, s3_upload_id).await? else {
            return self.find(media, Problem::upload_ended()).await;
        };
        parts.retain(|part| plan.part(part.number).is_some());
        let missing = missing(plan, &parts, self.named);
        if !missing.is_empty() {
            let is_open = self.reopen(media).await?;
            return if is_open { Err(Problem::parts_incomplete(missing)) } else { Ok(Step::Changed) };
        }
        let Some(media) = self.complete(media).await? else { return Ok(Step::Changed) };
        let left = self.state.wait.saturating_sub(self.begun.elapsed());
        match ingest.complete_multipart(&key, s3_upload_id, &parts, left).await? {
            Completed::Done(object) => Ok(Step::object(&media, &object)),
            Completed::StillWorking => Ok(Step::StillWorking(Box::new(media))),
            Completed::NoSuchUpload => self.find(&media, Problem::upload_ended()).await,
            // Which ones, and whether they are good now, the next listing tells.
            Completed::PartsChanged => self.reopen(&media).await.map(|_| Step::Changed),
        }
    }

    /// Looks for the object, which is there or `missing`.
    async fn find(&self, media: &Media, missing: Problem) -> Result<Step, Problem> {
        match self.state.ingest.head_current(&self.upload.key()).await? {
            Some((object, _)) => {
                let media = self.complete(media).await?;
                Ok(media.map_or(Step::Changed, |media| Step::object(&media, &object)))
            }
            None => self.changed_or(media, missing).await,
        }
    }

    /// A miniature has no state in which it is being completed: it is there, or it is not.
    async fn miniature(&self, media: &Media) -> Result<Step, Problem> {
        let miniature = media.miniature.as_ref().ok_or_else(|| Problem::not_found("upload"))?;
        if let Some(source) = miniature.source() {
            return Ok(Step::object(media, source));
        }
        if miniature.state != MiniatureState::AwaitingUpload {
            return Err(Problem::upload_ended());
        }
        match self.state.ingest.head_current(&self.upload.key()).await? {
            Some((object, _)) if media.on_miniature_arrival(&object) == Arrival::Discard => {
                Err(Problem::upload_ended())
            }
            Some((object, _)) => Ok(Step::object(media, &object)),
            None => self.changed_or(media, object_missing()).await,
        }
    }

    /// What is not there may have been accepted and moved on since the record was read.
    async fn changed_or(&self, media: &Media, problem: Problem) -> Result<Step, Problem> {
        let (present, _) = self.read().await?;
        if present.version == media.version { Err(problem) } else { Ok(Step::Changed) }
    }

    /// The media in `completing`; `None` if the record has changed.
    async fn complete(&self, media: &Media) -> Result<Option<Media>, Problem> {
        if media.state == MediaState::Completing {
            return Ok(Some(media.clone()));
        }
        let completing = media.complete(self.state.clock.now());
        let is_written = self.write(media, &completing, self.upload.clone().complete()).await?;
        Ok(is_written.then_some(completing))
    }

    /// Lets the upload go on. Whether it does; if not, the record has changed.
    async fn reopen(&self, media: &Media) -> Result<bool, Problem> {
        if media.state == MediaState::AwaitingUpload {
            return Ok(true);
        }
        let reopened = media.reopen(self.upload.deadline, self.state.clock.now());
        self.write(media, &reopened, self.upload.clone().reopen()).await
    }

    async fn write(&self, previous: &Media, media: &Media, upload: Upload) -> Result<bool, Problem> {
        let change = MediaChange { uploads: vec![upload], ..MediaChange::of(media.clone()) };
        match self.state.table.change_media(previous, &change).await {
            Ok(()) => Ok(true),
            Err(ChangeError::Outdated) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What one look at record and bucket came to.
enum Step {
    /// The object is there.
    Object(Box<Media>, ObjectVersion),
    /// S3 is making it.
    StillWorking(Box<Media>),
    /// The record or the parts changed: look again.
    Changed,
}

impl Step {
    fn object(media: &Media, object: &ObjectVersion) -> Self {
        Self::Object(Box::new(media.clone()), object.clone())
    }
}

fn object_missing() -> Problem {
    Problem::new(
        Code::ObjectMissing,
        "The file is not there yet. Send it as the upload says, then complete again.",
    )
}

/// Which parts are not there in full; or, if the client named theirs, were not named, or are not the ones that they sent.
fn missing(plan: &PartPlan, uploaded: &[UploadedPart], named: Option<&[NamedPart]>) -> Vec<PartNumber> {
    let mut missing: BTreeSet<PartNumber> = plan.missing(uploaded).into_iter().collect();
    if let Some(named) = named {
        let named: BTreeMap<PartNumber, &ETag> =
            named.iter().map(|named| (named.part_number, &named.etag)).collect();
        let is_another = |part: &&UploadedPart| named.get(&part.number) != Some(&&part.etag);
        missing.extend(uploaded.iter().filter(is_another).map(|part| part.number));
    }
    missing.into_iter().collect()
}
