//! `DELETE /media/{media_id}`: takes a media out of sight at once; the sweep removes what belongs to it.
//!
//! Deleting again is 204 again, as long as the tombstone lasts; on `DELETE /api/v1/s3-media/{media_id}` it is 404, as the
//! replaced system published it.

use std::sync::Arc;

use api::refusals::{
    Aws, ChangedMeanwhile, CurrentCaller, NotFound, PreconditionFailed, Refused, RoleInsufficient,
};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, http_function, warm_up,
};
use domain::{Action, Caller, Media, MediaId, Role, Status, UserId, decide};
use serde::Serialize;
use table::{ChangeError, MediaChange, Record, Table};
use utoipa::{OpenApi, ToSchema};

const S3_MEDIA_ALIAS: &str = "DELETE /api/v1/s3-media/{media_id}";

/// How often a media that keeps changing is read.
const ATTEMPTS: usize = 5;

struct State {
    table: Table,
    access: Access,
    clock: Clock,
}

/// What the alias answers, as the replaced system did.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletedS3Media)]
struct S3Media {
    /// `true`.
    #[schema(example = true)]
    success: bool,
    /// The media.
    media_id: MediaId,
    /// For people.
    #[schema(example = "The media is deleted.")]
    message: &'static str,
}

/// What became of a media.
enum Deleted {
    Now,
    Before,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(delete_media, delete_s3_media))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER` and `ACCESS_JWKS`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    if request.route() == S3_MEDIA_ALIAS {
        delete_s3_media(&state, &request).await
    } else {
        delete_media(&state, &request).await
    }
}

/// Deletes a media, if it is in the version that `If-Match` names.
#[utoipa::path(
    delete,
    path = "/media/{media_id}",
    tag = "media",
    params(("media_id" = MediaId, Path)),
    responses(
        (status = 204, description = "It is deleted, or was before."),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, PreconditionFailed, ChangedMeanwhile, Aws)>,
    ),
)]
async fn delete_media(state: &State, request: &Request) -> Result<Answer, Problem> {
    delete(state, request).await?;
    Ok(Answer::no_content())
}

/// Deletes a media, as a replaced system did: what was deleted before is not found.
#[utoipa::path(
    delete,
    path = "/api/v1/s3-media/{media_id}",
    tag = "media",
    params(("media_id" = MediaId, Path)),
    responses(
        (status = 200, description = "It is deleted.", body = S3Media),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, PreconditionFailed, ChangedMeanwhile, Aws)>,
    ),
    extensions(("x-alias-of" = json!("DELETE /media/{media_id}"))),
)]
async fn delete_s3_media(state: &State, request: &Request) -> Result<Answer, Problem> {
    match delete(state, request).await? {
        (media_id, Deleted::Now) => {
            Answer::ok(&S3Media { success: true, media_id, message: "The media is deleted." })
        }
        (_, Deleted::Before) => Err(Problem::not_found("media")),
    }
}

async fn delete(state: &State, request: &Request) -> Result<(MediaId, Deleted), Problem> {
    let caller = state.access.current_caller(request, &state.table).await?;
    let media_id = request.path_id("media_id", "media")?;
    let deleted = take_out_of_sight(state, request, &caller, media_id).await?;
    Ok((media_id, deleted))
}

async fn take_out_of_sight(
    state: &State,
    request: &Request,
    caller: &Caller,
    media_id: MediaId,
) -> Result<Deleted, Problem> {
    for _ in 0..ATTEMPTS {
        let now = state.clock.now();
        let media: Media = match state.table.media(media_id, now).await? {
            Record::Media(media) if media.status() == Status::Deleting => {
                return deleted_before(caller, media.owner_id);
            }
            Record::Media(media) => *media,
            Record::Tombstone { owner_id } => return deleted_before(caller, owner_id),
            Record::Absent => return Err(Problem::not_found("media")),
        };
        Problem::unless_allowed(decide(caller, Action::Change(&media)), "media")?;
        request.check_if_match(media.version)?;
        match state.table.change_media(&media, &MediaChange::of(media.begin_deletion(now))).await {
            Ok(()) => return Ok(Deleted::Now),
            Err(ChangeError::Outdated) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ChangeError::Outdated.into())
}

/// To others than its owner and admins, what was deleted was never there.
fn deleted_before(caller: &Caller, owner_id: UserId) -> Result<Deleted, Problem> {
    if caller.role == Role::Admin || caller.user_id == owner_id {
        Ok(Deleted::Before)
    } else {
        Err(Problem::not_found("media"))
    }
}
