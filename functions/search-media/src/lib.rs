//! `GET /search`: ready media by the words of their titles, the best match first, page by page.

use std::sync::Arc;

use api::body::MediaBody;
use api::refusals::{AccessToken, Aws, Parameters, Refused};
use api::{
    Access, Answer, Environment, Function, List, Page, PageParameters, Problem, QueryParameters, Request,
    StartError, ThumbnailUrls, http_function, warm_up,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{Invalid, Query, Title, TitleWord};
use table::Table;
use utoipa::OpenApi;

const CANONICAL: &str = "GET /search";

struct State {
    table: Table,
    access: Access,
    thumbnails: ThumbnailUrls,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS` and, where there is one, `CDN_DOMAIN`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        thumbnails: ThumbnailUrls::of(&environment),
    };
    warm_up("table", state.table.open_for_searches()).await;
    Ok(http_function(state, handle))
}

/// Finds ready media with all words of `title` in their titles, whatever their case and accents; of two letters and more,
/// the beginning of a word suffices. Titles with the longest word itself come before those with a word that begins so.
#[utoipa::path(
    get,
    path = "/search",
    tag = "media",
    params(
        ("title" = Title, Query, description = "Words of the title, at least one."),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page; it may be short and still have a `next_cursor`.", body = List<MediaBody>),
        Refused<(AccessToken, Parameters, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.caller(&request)?;
    let (query, mut page) = parse(&request)?;
    let found = state.table.search(&caller, &query, page.after.take(), page.limit).await?;
    let thumbnails = state.thumbnails.base(&request);
    Answer::ok(&List {
        items: found.media.iter().map(|media| MediaBody::new(media, None, &thumbnails)).collect(),
        next_cursor: found.next.map(|place| page.cursor_after(place)),
    })
}

fn parse(request: &Request) -> Result<(Query, Page<TitleWord>), Problem> {
    let mut parameters = QueryParameters::of_route(request, CANONICAL);
    let query = parameters.required("title", query);
    let list = query.as_ref().map(list_name).unwrap_or_default();
    let page = Page::take_if(&mut parameters, list, |place: &TitleWord| {
        query.as_ref().is_some_and(|query| query.passes(&place.word))
    });
    parameters.finish()?;
    query
        .map(|query| (query, page))
        .ok_or_else(|| Problem::internal("a query that is missing was not refused"))
}

/// What is typed is bounded as titles are.
fn query(text: &str) -> Result<Query, Invalid> {
    let title: Title = text.parse()?;
    Query::parse(title.as_str())
}

/// Each search is a list of its own, so that none takes another's cursor.
fn list_name(query: &Query) -> String {
    let terms = query.terms().join(" ");
    let digest = ring::digest::digest(&ring::digest::SHA256, terms.as_bytes());
    format!("search {}", BASE64_URL_SAFE_NO_PAD.encode(digest))
}
