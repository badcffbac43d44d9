//! `GET /media`: the media that the caller may see, the newest first, page by page.

use std::sync::Arc;

use api::body::MediaBody;
use api::refusals::{AccessToken, Aws, Parameters, Refused, RoleInsufficient};
use api::{
    Access, Answer, Code, Environment, Function, List, Page, PageParameters, Problem, QueryParameters,
    Request, StartError, ThumbnailUrls, http_function, warm_up,
};
use domain::{
    Caller, Decision, Invalid, Media, MediaFilter, MediaId, MediaKind, Place, Status, Stretch, Tag, UserId,
};
use futures::future::try_join_all;
use table::Table;
use utoipa::OpenApi;

const CANONICAL: &str = "GET /media";

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
    warm_up("table", state.table.open_for_lists()).await;
    Ok(http_function(state, handle))
}

/// Lists media, without their technical metadata: those that are ready, and with `owner=me` one's own in every state.
#[utoipa::path(
    get,
    path = "/media",
    tag = "media",
    params(
        ("owner" = Option<String>, Query, description = "Only theirs: `me`, or a user's id.", pattern = "^(me|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"),
        (
            "status" = Option<Status>,
            Query,
            description = "Only those in this state. For states other than `ready`, `owner` has to be the caller, unless \
                           they are an admin.",
        ),
        ("kind" = Option<MediaKind>, Query, description = "Only those of this kind."),
        ("tag" = Option<Tag>, Query, description = "Only those with this tag."),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page; it may be short and still have a `next_cursor`.", body = List<MediaBody>),
        Refused<(AccessToken, RoleInsufficient, Parameters, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.caller(&request)?;
    let (filter, page) = parse(&request, &caller)?;
    let places = filter.places(&caller).map_err(only_ready)?;
    let before = page.after.map(MediaId::new);
    let stretches = read(&state.table, &places, before, page.limit).await?;
    let stretches = stretches.into_iter().map(|stretch| admitted(stretch, &filter, &caller)).collect();
    let media = domain::Page::merge(stretches, page.limit);
    let thumbnails = state.thumbnails.base(&request);
    Answer::ok(&List {
        items: media.items.iter().map(|media| MediaBody::new(media, None, &thumbnails)).collect(),
        next_cursor: media.next.map(|id| page.cursor_after(id.uuid())),
    })
}

fn parse(request: &Request, caller: &Caller) -> Result<(MediaFilter, Page), Problem> {
    let mut parameters = QueryParameters::of_route(request, CANONICAL);
    let filter = MediaFilter {
        owner: parameters.optional("owner", |text| owner(text, caller)),
        status: parameters.optional("status", str::parse),
        kind: parameters.optional("kind", str::parse),
        tag: parameters.optional("tag", str::parse),
    };
    let page = Page::take(&mut parameters, "media");
    parameters.finish()?;
    Ok((filter, page))
}

fn owner(text: &str, caller: &Caller) -> Result<UserId, Invalid> {
    if text == "me" {
        return Ok(caller.user_id);
    }
    text.parse().map_err(|_| Invalid::new("must be me or a user's id"))
}

fn only_ready(_: Decision) -> Problem {
    Problem::new(
        Code::RoleInsufficient,
        "Only admins list others' media that are not ready. For your own, ask with owner=me.",
    )
}

/// All places side by side.
async fn read(
    table: &Table,
    places: &[Place],
    before: Option<MediaId>,
    limit: usize,
) -> Result<Vec<Stretch<MediaId, Media>>, Problem> {
    let stretches = try_join_all(places.iter().map(|place| table.stretches(place, before, limit))).await?;
    Ok(stretches.into_iter().flatten().collect())
}

/// What of it is for the caller.
fn admitted(
    mut stretch: Stretch<MediaId, Media>,
    filter: &MediaFilter,
    caller: &Caller,
) -> Stretch<MediaId, Media> {
    stretch.items.retain(|(_, media)| filter.admits(caller, media));
    stretch
}
