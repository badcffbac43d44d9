//! `GET /api/v1/{upload_id}/part/{num}` and `POST /api/v1/{upload_id}/parts`: signs parts of an upload, those that did
//! not come signed and those whose URL has ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::body::PartBody;
use api::refusals::{
    Aws, CurrentCaller, JsonBody, NotFound, NotMultipart, Parameters, Refused, RoleInsufficient, UploadEnded,
};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, http_function, list, warm_up,
};
use buckets::UploadSigner;
use domain::{AwaitedPart, Invalid, MAX_SIGNED_PARTS, PartNumber, PartRules, Upload, UploadId};
use http::Method;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use table::Table;
use utoipa::{OpenApi, ToSchema};

const SEVERAL: &str = "POST /api/v1/{upload_id}/parts";

struct State {
    table: Table,
    access: Access,
    signer: UploadSigner,
    clock: Clock,
}

/// Which parts to sign.
#[derive(ToSchema)]
#[allow(dead_code)]
struct PartNumbers {
    /// Each at most once.
    #[schema(min_items = 1, max_items = 100)]
    #[schema(value_type = Vec<PartNumber>)]
    part_numbers: Vec<u16>,
}

/// Parts to be sent.
#[derive(Serialize, ToSchema)]
struct SignedParts {
    /// In the order in which they were asked for.
    #[schema(min_items = 1, max_items = 100)]
    parts: Vec<PartBody>,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(sign_one, sign_several))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS`, `INGEST_BUCKET` and `UPLOAD_ROLE_ARN`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        signer: environment.upload_signer(&aws)?,
        clock: environment.clock(),
    };
    tokio::join!(
        warm_up("table", state.table.open_for_uploads()),
        warm_up("credentials", state.signer.prepare(state.clock.now())),
    );
    Ok(http_function(state, handle))
}

async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    if request.method() == Method::GET {
        sign_one(&state, &request).await
    } else {
        sign_several(&state, &request).await
    }
}

/// Signs the part with this number.
#[utoipa::path(
    get,
    path = "/api/v1/{upload_id}/part/{num}",
    tag = "uploads",
    params(("upload_id" = UploadId, Path), ("num" = PartNumber, Path)),
    responses(
        (status = 200, description = "The part, signed.", body = PartBody),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, NotMultipart, UploadEnded, Parameters, Aws)>,
    ),
)]
async fn sign_one(state: &State, request: &Request) -> Result<Answer, Problem> {
    let (upload, rules) = open_upload(state, request).await?;
    let number: String = request.path_id("num", "part")?;
    let part = rules.find(number.parse().ok()).map_err(|invalid| Problem::invalid_field("{num}", invalid))?;
    Answer::ok(&PartBody::from(state.signer.presign_part(&upload, part, state.clock.now()).await?))
}

/// Signs up to 100 parts at once.
#[utoipa::path(
    post,
    path = "/api/v1/{upload_id}/parts",
    tag = "uploads",
    params(("upload_id" = UploadId, Path)),
    request_body = PartNumbers,
    responses(
        (status = 200, description = "The parts, signed.", body = SignedParts),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, NotMultipart, UploadEnded, JsonBody, Aws)>,
    ),
)]
async fn sign_several(state: &State, request: &Request) -> Result<Answer, Problem> {
    let (upload, rules) = open_upload(state, request).await?;
    let mut fields = request.json_fields(SEVERAL)?;
    let parts = fields.required("part_numbers", |value| numbered_parts(value, &rules));
    let parts = fields.finish_with(parts)?;
    let signed = state.signer.presign_parts(&upload, parts.into_iter(), state.clock.now()).await?;
    Answer::ok(&SignedParts { parts: signed.into_iter().map(PartBody::from).collect() })
}

/// The upload that the path names, and what its parts have to be, if some of it may still be sent.
async fn open_upload(state: &State, request: &Request) -> Result<(Upload, PartRules), Problem> {
    let upload = state.access.own_upload(request, &state.table).await?;
    let rules = upload.part_rules().ok_or_else(Problem::not_multipart)?;
    if rules.plan().is_none() {
        return Err(Problem::parts_not_planned());
    }
    if upload.is_open(state.clock.now()) { Ok((upload, rules)) } else { Err(Problem::upload_ended()) }
}

fn numbered_parts(value: &Value, rules: &PartRules) -> Result<Vec<AwaitedPart>, Invalid> {
    let parts = list(value, MAX_SIGNED_PARTS, |number| rules.find(PartNumber::deserialize(number).ok()))?;
    let different: BTreeSet<PartNumber> = parts.iter().map(|part| part.number).collect();
    if parts.is_empty() {
        return Err(Invalid::new("must name at least one part"));
    }
    if different.len() < parts.len() {
        return Err(Invalid::new("must name each part once"));
    }
    Ok(parts)
}
