//! `PATCH /media/{media_id}`: changes what people wrote about a media, and who may see it.
//!
//! `PUT /content/{media_id}`, as a replaced system has it, replaces all of it: what is not sent is emptied, but for who may
//! see it.

use std::sync::Arc;

use api::body::MediaBody;
use api::refusals::{
    Aws, ChangedMeanwhile, CurrentCaller, JsonBody, NotFound, PreconditionFailed, Refused, RoleInsufficient,
};
use api::uploads::{distinct_tags, thumbnail_key, visibility};
use api::{
    Access, Answer, Clock, Environment, Fields, Function, Problem, Request, StartError, ThumbnailUrls,
    http_function, text, visible_media, warm_up,
};
use buckets::MediaBucket;
use domain::{
    Action, Caller, Description, Media, MediaEdit, MediaId, Miniature, Patch, Tag, ThumbnailKey,
    ThumbnailUrl, Title, Visibility, decide,
};
use probe::Metadata;
use table::{ChangeError, MediaChange, Table};
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "PATCH /media/{media_id}";
const REPLACING: &str = "PUT /content/{media_id}";

/// How often a media that keeps changing is read.
const ATTEMPTS: usize = 5;

struct State {
    table: Table,
    access: Access,
    clock: Clock,
    media: MediaBucket,
    thumbnails: ThumbnailUrls,
}

/// What is asked for, as a JSON Merge Patch (RFC 7396). Fields that are left out stay as they are.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct UpdateMedia {
    /// The media's title.
    #[schema(value_type = Title, required = false)]
    title: Option<Title>,
    /// `null` empties it.
    #[schema(value_type = Option<Description>)]
    description: Patch<Description>,
    /// All of them; `null` removes them.
    #[schema(value_type = Option<Vec<Tag>>, max_items = 20)]
    tags: Patch<Vec<Tag>>,
    /// Who may see it.
    #[schema(value_type = Visibility, required = false)]
    visibility: Option<Visibility>,
    /// `null` removes it.
    #[schema(value_type = Option<ThumbnailUrl>)]
    thumbnail_url: Patch<ThumbnailUrl>,
}

/// What is asked for instead of what is there. Fields that are left out are emptied, but for who may see it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct ReplaceMedia {
    /// The media's title.
    title: Title,
    /// Its description.
    description: Option<Description>,
    /// Its tags.
    #[schema(max_items = 20)]
    tags: Option<Vec<Tag>>,
    /// As it was, if it is left out.
    visibility: Option<Visibility>,
    /// Where its thumbnail is.
    thumbnail_url: Option<ThumbnailUrl>,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(update, replace))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS`, `MEDIA_BUCKET` and, where there is one, `CDN_DOMAIN`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        media: environment.media_bucket(&aws)?,
        thumbnails: ThumbnailUrls::of(&environment),
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    if request.route() == REPLACING {
        replace(&state, &request).await
    } else {
        update(&state, &request).await
    }
}

/// Changes a media, if it is in the version that `If-Match` names.
#[utoipa::path(
    patch,
    path = "/media/{media_id}",
    tag = "media",
    params(("media_id" = MediaId, Path)),
    request_body(content((UpdateMedia = "application/merge-patch+json"), (UpdateMedia = "application/json"))),
    responses(
        (status = 200, description = "The media as it is now.", body = MediaBody),
        Refused<(
            CurrentCaller, NotFound, RoleInsufficient, JsonBody, PreconditionFailed, ChangedMeanwhile, Aws,
        )>,
    ),
)]
async fn update(state: &State, request: &Request) -> Result<Answer, Problem> {
    edit(state, request, patched).await
}

/// Replaces all that people wrote about a media, if it is in the version that `If-Match` names.
#[utoipa::path(
    put,
    path = "/content/{media_id}",
    tag = "media",
    params(("media_id" = MediaId, Path)),
    request_body = ReplaceMedia,
    responses(
        (status = 200, description = "The media as it is now.", body = MediaBody),
        Refused<(
            CurrentCaller, NotFound, RoleInsufficient, JsonBody, PreconditionFailed, ChangedMeanwhile, Aws,
        )>,
    ),
    extensions(("x-alias-of" = json!("PATCH /media/{media_id}"))),
)]
async fn replace(state: &State, request: &Request) -> Result<Answer, Problem> {
    edit(state, request, replaced).await
}

async fn edit(
    state: &State,
    request: &Request,
    parse: fn(Fields) -> Result<MediaEdit, Problem>,
) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(request, &state.table).await?;
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let edit = parse(request.json_fields(CANONICAL)?)?;
    let (media, metadata) = change(state, request, &caller, media_id, &edit).await?;
    let thumbnails = state.thumbnails.base(request);
    Answer::ok(&MediaBody::new(&media, metadata.as_ref(), &thumbnails))?.versioned(media.version, None)
}

/// Carries an edit out. Where the media changed in between, it is made of what the media became, unless `If-Match` asks for
/// the version that was read.
async fn change(
    state: &State,
    request: &Request,
    caller: &Caller,
    media_id: MediaId,
    edit: &MediaEdit,
) -> Result<(Media, Option<Metadata>), Problem> {
    // One for all attempts, so that no attempt leaves a copy behind for the next.
    let fresh = thumbnail_key()?;
    for _ in 0..ATTEMPTS {
        let now = state.clock.now();
        let (record, metadata) = state.table.media_with_metadata(media_id, now).await?;
        let media = visible_media(record, caller)?;
        Problem::unless_allowed(decide(caller, Action::Change(&media)), "media")?;
        request.check_if_match(media.version)?;
        let mut edited = media.edit(edit.clone(), now);
        if edited == media {
            return Ok((media, metadata));
        }
        if media.is_hidden_by(edit) {
            edited = with_hidden_miniature(state, &edited, &fresh).await?;
        }
        match state.table.change_media(&media, &MediaChange::of(edited.clone())).await {
            Ok(()) => return Ok((edited, metadata)),
            Err(ChangeError::Outdated) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ChangeError::Outdated.into())
}

/// The media with its miniature under a fresh key, where it is put first. What nobody comes to point at is removed with the
/// media.
async fn with_hidden_miniature(state: &State, media: &Media, fresh: &ThumbnailKey) -> Result<Media, Problem> {
    let Some(Miniature { key, .. }) = &media.miniature else { return Ok(media.clone()) };
    state.media.copy_thumbnail(media.id, key, fresh).await?;
    Ok(media.with_thumbnail_key(fresh.clone(), state.clock.now()))
}

/// What is not sent stays as it is.
fn patched(mut fields: Fields) -> Result<MediaEdit, Problem> {
    let edit = MediaEdit {
        title: fields.replacement("title", text),
        description: emptied(fields.patch("description", text), Description::empty),
        tags: emptied(fields.patch("tags", distinct_tags), Vec::new),
        visibility: fields.replacement("visibility", visibility),
        thumbnail_url: fields.patch("thumbnail_url", text),
    };
    fields.finish()?;
    Ok(edit)
}

/// What is not sent is emptied, but for who may see it.
fn replaced(mut fields: Fields) -> Result<MediaEdit, Problem> {
    let title = fields.required("title", text);
    let edit = MediaEdit {
        title: None,
        description: Some(fields.optional("description", text).unwrap_or_else(Description::empty)),
        tags: Some(fields.optional("tags", distinct_tags).unwrap_or_default()),
        visibility: fields.optional("visibility", visibility),
        thumbnail_url: fields.optional("thumbnail_url", text).map_or(Patch::Remove, Patch::Set),
    };
    fields.finish_with(title).map(|title| MediaEdit { title: Some(title), ..edit })
}

/// A field whose removal leaves it empty.
fn emptied<T>(patch: Patch<T>, empty: impl FnOnce() -> T) -> Option<T> {
    match patch {
        Patch::Keep => None,
        Patch::Remove => Some(empty()),
        Patch::Set(value) => Some(value),
    }
}
