//! `POST /api/v1/bulk-upload`: announces up to 100 files and answers how to upload each, or why it is not taken.
//!
//! A file that cannot be taken fails no other; the errors in its fields point to where it is in the request. An
//! idempotency key stands for each file on its own: who sends the request again, or what they corrected of it, gets what
//! was announced before, and the rest is announced.

use std::sync::Arc;

use api::body::AnnouncedBody;
use api::refusals::{Aws, CurrentCaller, JsonBody, RateLimited, Refused, RoleInsufficient};
use api::uploads::{Begun, FileRequest, Uploads};
use api::{
    Access, Answer, Environment, Fields, Function, Problem, ProblemBody, Request, StartError, ThumbnailBase,
    ThumbnailUrls, UnknownFields, UserLimit, http_function, list,
};
use domain::{Action, IdempotencyKey, Invalid, MAX_BULK_FILES, decide};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /api/v1/bulk-upload";

/// How many parts of an upload in parts come signed: one to begin with, so that a hundred files fit into an answer.
const SIGNED_PARTS: usize = 1;

struct State {
    access: Access,
    uploads: Uploads,
    limit: UserLimit,
    thumbnails: ThumbnailUrls,
}

/// What is asked.
#[derive(ToSchema)]
#[schema(as = BulkRequest)]
#[expect(dead_code, reason = "it is only described; each file is parsed on its own")]
struct BulkRequest {
    /// The files.
    #[schema(min_items = 1, max_items = 100)]
    files: Vec<FileRequest>,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkUploads)]
struct BulkBody<'a> {
    /// One for each file, in their order.
    #[schema(min_items = 1, max_items = 100)]
    uploads: Vec<BulkItem<'a>>,
}

/// What became of one file.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = BulkUpload)]
enum BulkItem<'a> {
    /// It is announced.
    Announced {
        /// Its place in the request, from 0.
        #[schema(minimum = 0, maximum = 99, example = 0)]
        index: usize,
        #[serde(flatten)]
        announced: AnnouncedBody<'a>,
    },
    /// It is not taken.
    Refused {
        /// Its place in the request, from 0.
        #[schema(minimum = 0, maximum = 99, example = 0)]
        index: usize,
        /// Why.
        error: ProblemBody<'a>,
    },
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TOKEN_ISSUER`, `ACCESS_JWKS` and the variables of [`Uploads::of`] and [`UserLimit::of_uploads`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        access: Access::of(&environment)?,
        uploads: Uploads::of(&environment, &aws)?,
        limit: UserLimit::of_uploads(&environment, &aws)?,
        thumbnails: ThumbnailUrls::of(&environment),
    };
    state.uploads.warm_up().await;
    Ok(http_function(state, handle))
}

/// Creates a media in `awaiting_upload` for each file, and signs what uploads it.
#[utoipa::path(
    post,
    path = "/api/v1/bulk-upload",
    tag = "uploads",
    params(("Idempotency-Key" = Option<IdempotencyKey>, Header, description = "The same key and file, at the same place, gives the same media again.")),
    request_body = BulkRequest,
    responses(
        (status = 200, description = "What became of each file. The problems in it are those of `POST /media`.", body = BulkBody),
        Refused<(CurrentCaller, RoleInsufficient, JsonBody, RateLimited, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, state.uploads.table()).await?;
    Problem::unless_allowed(decide(&caller, Action::Upload), "media")?;
    let key = request.idempotency_key()?;
    let mut fields = request.json_fields(CANONICAL)?;
    let files = fields.required("files", files);
    let files = fields.finish_with(files)?;
    state.limit.count(&request, caller.user_id, files.len()).await?;
    let asked =
        files.into_iter().enumerate().map(|(index, file)| take(index, file, &state.uploads)).collect();
    let api_url = request.api_url();
    let begun = state.uploads.begin_all(&caller, asked, key.as_ref(), SIGNED_PARTS, &api_url).await?;
    log_faults(&begun, request.request_id());
    let (uploads, thumbnails) = (begun.iter().enumerate(), state.thumbnails.base(&request));
    let uploads =
        uploads.map(|(index, begun)| item(index, begun, request.request_id(), &thumbnails)).collect();
    Answer::ok(&BulkBody { uploads })
}

/// The files, which may be anything as yet.
fn files(value: &Value) -> Result<Vec<Value>, Invalid> {
    let files = list(value, MAX_BULK_FILES, |file| Ok(file.clone()))?;
    if files.is_empty() { Err(Invalid::new("must have at least one item")) } else { Ok(files) }
}

/// What is asked for one file. Unknown fields are refused: the route has no alias.
fn take(index: usize, file: Value, uploads: &Uploads) -> Result<FileRequest, Problem> {
    let pointer = format!("/files/{index}");
    let Value::Object(object) = file else {
        return Err(Problem::invalid_field(pointer, "must be an object"));
    };
    FileRequest::take(Fields::new(object, UnknownFields::Refused).at(pointer), uploads.limits())
}

fn item<'a>(
    index: usize,
    begun: &'a Result<Begun, Problem>,
    request_id: &'a str,
    thumbnails: &ThumbnailBase,
) -> BulkItem<'a> {
    match begun {
        Ok(begun) => BulkItem::Announced { index, announced: AnnouncedBody::new(begun, thumbnails) },
        Err(problem) => BulkItem::Refused { index, error: problem.body(request_id) },
    }
}

/// What went wrong on our side with single files: the request as a whole does not fail for it.
fn log_faults(begun: &[Result<Begun, Problem>], request_id: &str) {
    for (index, begun) in begun.iter().enumerate() {
        if let Err(problem) = begun
            && let Some(text) = problem.internal_text()
        {
            tracing::error!(request_id, index, problem = text, "a file of the request failed");
        }
    }
}
