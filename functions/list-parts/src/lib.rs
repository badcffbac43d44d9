//! `GET /api/v1/{upload_id}/parts`: which parts of an upload are there and which are missing, which is all that a client
//! needs to go on with it after a restart.

use std::sync::Arc;

use api::refusals::{Aws, CurrentCaller, NotFound, NotMultipart, Refused, RoleInsufficient, UploadEnded};
use api::{Access, Answer, Environment, Function, Problem, Request, StartError, http_function, warm_up};
use buckets::IngestBucket;
use domain::{
    ETag, PartNumber, PartPlan, PartRules, SizeBytes, UploadId, UploadMethod, UploadState, UploadedPart,
};
use serde::Serialize;
use table::Table;
use utoipa::{OpenApi, ToSchema};

struct State {
    table: Table,
    access: Access,
    ingest: IngestBucket,
}

/// A part that is there.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadedPart)]
struct UploadedPartBody {
    /// Its number, from 1.
    part_number: PartNumber,
    /// How many bytes it has.
    #[schema(value_type = u64, minimum = 1, maximum = 5_368_709_120_u64, example = 16_777_216)]
    size_bytes: SizeBytes,
    /// S3's tag of it, without quotes.
    etag: ETag,
}

/// What there is of an upload.
#[derive(Serialize, ToSchema)]
struct UploadedParts {
    /// All parts that are there, by number.
    #[schema(max_items = 10_000)]
    parts: Vec<UploadedPartBody>,
    /// Those that have to be sent, or sent again because they are not in their length.
    #[schema(max_items = 10_000)]
    missing: Vec<PartNumber>,
    /// How long every part but the last is; part `n` begins at `(n - 1) * part_size_bytes` of the file. `null` where the
    /// file's size was not declared.
    #[schema(required, value_type = Option<u64>, minimum = 5_242_880, maximum = 5_368_709_120_u64, example = 16_777_216)]
    part_size_bytes: Option<SizeBytes>,
    /// How many parts there have to be; `null` where the file's size was not declared.
    #[schema(required, minimum = 1, maximum = 10_000, example = 2)]
    part_count: Option<u16>,
}

impl UploadedParts {
    fn of(rules: &PartRules, uploaded: Vec<UploadedPart>) -> Self {
        let plan = rules.plan();
        Self {
            missing: rules.missing(&uploaded),
            parts: uploaded.into_iter().map(UploadedPartBody::from).collect(),
            part_size_bytes: plan.map(PartPlan::part_size_bytes),
            part_count: plan.map(PartPlan::part_count),
        }
    }
}

impl From<UploadedPart> for UploadedPartBody {
    fn from(UploadedPart { number, size_bytes, etag }: UploadedPart) -> Self {
        Self { part_number: number, size_bytes, etag }
    }
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
        ingest: environment.ingest_bucket(&aws)?,
    };
    warm_up("table", state.table.open_for_uploads()).await;
    Ok(http_function(state, handle))
}

/// Lists the parts that S3 has, all pages of them.
#[utoipa::path(
    get,
    path = "/api/v1/{upload_id}/parts",
    tag = "uploads",
    params(("upload_id" = UploadId, Path)),
    responses(
        (status = 200, description = "What is there, and what is missing.", body = UploadedParts),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, NotMultipart, UploadEnded, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let upload = state.access.own_upload(&request, &state.table).await?;
    let (UploadMethod::Multipart { s3_upload_id, .. }, Some(rules)) = (&upload.method, upload.part_rules())
    else {
        return Err(Problem::not_multipart());
    };
    if !matches!(upload.state, UploadState::Open | UploadState::Completing) {
        return Err(Problem::upload_ended());
    }
    let uploaded = state.ingest.list_parts(&upload.key(), s3_upload_id).await?;
    let uploaded = uploaded.ok_or_else(Problem::upload_ended)?;
    Answer::ok(&UploadedParts::of(&rules, uploaded))
}
