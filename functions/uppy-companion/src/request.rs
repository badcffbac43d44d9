//! What Uppy says of a file: in the query of a form, in the JSON of an upload in parts.
//!
//! `filename` is its name, perhaps with the folder that it was dragged in with. `type` is what Uppy makes of its extension,
//! and `application/octet-stream` or no word at all where it knows none. `metadata` has whatever the page's author put
//! there; of that the names of a title are taken. Nothing else is refused: another version of Uppy may send it.

use api::uploads::{FileRequest, UploadLimits, allowed_content_type};
use api::{FieldError, Problem, Request};
use domain::{ContentType, Filename, Invalid, PlannedMethod, Title};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// On no route are unknown fields refused.
const NO_CANONICAL_ROUTE: &str = "";

/// A file to be sent in parts.
#[derive(ToSchema)]
#[schema(as = UppyFile)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
pub(crate) struct FileInParts {
    /// Its name; folders in front of it are left out.
    #[schema(min_length = 1, example = "walk.mp4")]
    filename: String,
    /// Its media type. Where it is `application/…` or not told, the extension of the name tells.
    #[schema(example = "video/mp4")]
    r#type: Option<String>,
    /// What Uppy knows of it. `title` becomes the media's title, or else `name`, or else the name of the file. What is no
    /// object is passed over.
    #[schema(example = json!({"name": "walk.mp4", "type": "video/mp4"}))]
    metadata: Option<Value>,
}

/// What the query of a form says.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
pub(crate) struct FormParameters {
    /// The file's name; folders in front of it are left out.
    #[param(min_length = 1, example = "walk.mp4")]
    filename: String,
    /// Its media type. Where it is `application/…` or not told, the extension of the name tells.
    #[param(example = "video/mp4")]
    r#type: Option<String>,
    /// The media's title.
    #[param(rename = "metadata[title]")]
    title: Option<Title>,
    /// The same, if there is no title; the file's name by default.
    #[param(rename = "metadata[name]", example = "walk.mp4")]
    name: Option<String>,
}

/// What was said, as it was said.
struct Told<'a> {
    filename: Option<&'a str>,
    content_type: Option<&'a str>,
    title: Option<&'a str>,
    name: Option<&'a str>,
    /// What stands in front of a field's name where an error in it is told.
    place: &'static str,
}

/// The file that a form is asked for.
pub(crate) fn file_of_form(request: &Request, limits: &UploadLimits) -> Result<FileRequest, Problem> {
    let told = Told {
        filename: request.query("filename"),
        content_type: request.query("type").filter(is_said),
        title: request.query("metadata[title]").filter(is_said),
        name: request.query("metadata[name]").filter(is_said),
        place: "?",
    };
    told.parse(PlannedMethod::Post, limits)
}

/// The file that is to be sent in parts.
pub(crate) fn file_in_parts(request: &Request, limits: &UploadLimits) -> Result<FileRequest, Problem> {
    let mut fields = request.json_fields(NO_CANONICAL_ROUTE)?;
    let mut take = |name: &str| fields.optional(name, |value| Ok(value.clone())).unwrap_or_default();
    let (filename, content_type, metadata) = (take("filename"), take("type"), take("metadata"));
    fields.finish()?;
    let text_of = |name: &str| metadata.get(name).and_then(Value::as_str).filter(is_said);
    let told = Told {
        filename: filename.as_str(),
        content_type: content_type.as_str().filter(is_said),
        title: text_of("title"),
        name: text_of("name"),
        place: "/",
    };
    told.parse(PlannedMethod::FreeParts, limits)
}

/// Uppy 6 writes what is not there into a query as JavaScript does.
fn is_said(text: &&str) -> bool {
    !matches!(text.trim(), "" | "null" | "undefined")
}

impl Told<'_> {
    fn parse(self, method: PlannedMethod, limits: &UploadLimits) -> Result<FileRequest, Problem> {
        let mut errors = Vec::new();
        let mut refuse = |name: &str, detail: Invalid| {
            let pointer = format!("{}{name}", self.place);
            errors.push(FieldError { pointer, detail: detail.to_string() });
        };
        let filename = self.filename.ok_or_else(|| Invalid::new("is required")).and_then(filename);
        let filename = filename.map_err(|invalid| refuse("filename", invalid)).ok();
        let content_type = filename.as_ref().and_then(|filename| {
            let content_type = content_type(self.content_type, filename)
                .and_then(|content_type| allowed_content_type(content_type, limits));
            content_type.map_err(|invalid| refuse("type", invalid)).ok()
        });
        let title = filename.as_ref().and_then(|filename| {
            let (title, field) = self.title(filename);
            title.map_err(|invalid| refuse(field, invalid)).ok()
        });
        match (filename, title, content_type) {
            (Some(filename), Some(title), Some(content_type)) => {
                Ok(FileRequest::of_unknown_size(filename, title, content_type, method))
            }
            _ => Err(Problem::invalid(errors)),
        }
    }

    /// The title, and the field that it comes from.
    fn title(&self, filename: &Filename) -> (Result<Title, Invalid>, &'static str) {
        if let Some(title) = self.title {
            return (title.parse(), "metadata/title");
        }
        match self.name.and_then(|name| self::filename(name).ok()) {
            Some(name) => (Title::of_file(&name), "metadata/name"),
            None => (Title::of_file(filename), "filename"),
        }
    }
}

/// Without the folder.
fn filename(text: &str) -> Result<Filename, Invalid> {
    text.rsplit(['/', '\\']).next().unwrap_or(text).parse()
}

/// What a file is declared as. Some files that play are `application/…` to a browser that knows no better.
fn content_type(told: Option<&str>, filename: &Filename) -> Result<ContentType, Invalid> {
    let told = told.map_or("", |text| text.split(';').next().unwrap_or(text).trim());
    match told.parse::<ContentType>() {
        Ok(content_type) => Ok(content_type),
        Err(_) if told.is_empty() || told.starts_with("application/") => ContentType::of_filename(filename)
            .ok_or_else(|| {
                Invalid::new(
                    "must be a video/… or audio/… media type, since the file's name does not tell it",
                )
            }),
        Err(invalid) => Err(invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn parse(told: Told<'_>) -> Result<FileRequest, Vec<String>> {
        let limits = UploadLimits {
            content_types: "video/*,audio/*".parse().unwrap(),
            max_upload_bytes: 1_000,
            image_types: "image/png".parse().unwrap(),
            max_miniature_bytes: 1_000,
            user_quota_bytes: 1_000,
            deadline: Duration::from_hours(1),
        };
        told.parse(PlannedMethod::FreeParts, &limits).map_err(|problem| {
            let body = serde_json::to_value(problem.body("id")).unwrap();
            let errors = body["errors"].as_array().unwrap().clone();
            errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
        })
    }

    fn told(filename: &'static str) -> Told<'static> {
        Told { filename: Some(filename), content_type: None, title: None, name: None, place: "/" }
    }

    #[test]
    fn a_file_is_called_by_its_title_or_by_its_name() {
        let title = |told: Told<'_>| parse(told).unwrap().title.to_string();
        assert_eq!(title(told("folder/clip.mp4")), "clip.mp4");
        assert_eq!(title(Told { name: Some("a\\Clip.mp4"), ..told("clip.mp4") }), "Clip.mp4");
        assert_eq!(title(Told { name: Some("Clip"), title: Some("A film"), ..told("clip.mp4") }), "A film");
        // A name that is none is no reason to refuse the file.
        assert_eq!(title(Told { name: Some("folder/"), ..told("clip.mp4") }), "clip.mp4");
        assert_eq!(parse(told("C:\\films\\clip.mp4")).unwrap().filename.as_str(), "clip.mp4");
    }

    #[test]
    fn a_type_is_told_or_follows_from_the_name() {
        let content_type = |text, filename| {
            parse(Told { content_type: text, ..told(filename) }).map(|file| file.content_type.to_string())
        };
        assert_eq!(content_type(Some("video/webm; codecs=vp9"), "clip.mp4"), Ok("video/webm".to_owned()));
        assert_eq!(content_type(None, "clip.mp4"), Ok("video/mp4".to_owned()));
        assert_eq!(
            content_type(Some("application/octet-stream"), "clip.mkv"),
            Ok("video/matroska".to_owned())
        );
        for (text, filename) in [(None, "clip"), (Some("image/png"), "clip.mp4"), (Some("mp4"), "clip.mp4")] {
            assert_eq!(content_type(text, filename), Err(vec!["/type".to_owned()]), "{text:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let wrong = Told { title: Some("a\nb"), content_type: Some("text/plain"), ..told("clip.mp4") };
        assert_eq!(parse(wrong).unwrap_err(), ["/type", "/metadata/title"]);
        assert_eq!(parse(told("folder/")).unwrap_err(), ["/filename"]);
        assert_eq!(parse(Told { filename: None, place: "?", ..told("") }).unwrap_err(), ["?filename"]);
    }

    #[test]
    fn what_javascript_writes_for_nothing_is_nothing() {
        for nothing in ["", " ", "null", "undefined"] {
            assert!(!is_said(&nothing), "{nothing}");
        }
        assert!(is_said(&"nullify"));
    }
}
