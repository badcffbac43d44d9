//! `DELETE /api/v1/{upload_id}`: gives an upload up.
//!
//! Asked again it answers the same. Once an upload is being completed it is too late; then the media is to be deleted.

use std::sync::Arc;

use api::refusals::{Aws, ChangedMeanwhile, CurrentCaller, NotFound, Refused, RoleInsufficient, UploadEnded};
use api::uploads::Aborter;
use api::{Access, Answer, Environment, Function, Problem, Request, StartError, http_function, warm_up};
use domain::UploadId;
use table::Table;
use utoipa::OpenApi;

struct State {
    table: Table,
    access: Access,
    aborter: Aborter,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS` and `INGEST_BUCKET`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        aborter: Aborter::of(&environment, &aws)?,
    };
    warm_up("table", state.table.open_for_uploads()).await;
    Ok(http_function(state, handle))
}

/// Gives an upload up: of a media, with which the media expires, or of its miniature alone.
#[utoipa::path(
    delete,
    path = "/api/v1/{upload_id}",
    tag = "uploads",
    params(("upload_id" = UploadId, Path)),
    responses(
        (status = 204, description = "It has ended without an object; again, if it had before."),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, UploadEnded, ChangedMeanwhile, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let upload = state.access.own_upload(&request, &state.table).await?;
    state.aborter.abort(&upload).await?;
    Ok(Answer::no_content())
}
