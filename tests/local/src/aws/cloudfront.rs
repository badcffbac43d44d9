//! CloudFront's API, as far as the keys of signed URLs go: `CreatePublicKey`, `GetPublicKey`, `ListPublicKeys` and
//! `DeletePublicKey` of version 2020-05-31, in XML. Follows the Amazon CloudFront API reference.
//!
//! A public key is an RSA key of 2048 bits or an ECDSA key on P-256. Its name and its caller reference belong to it alone:
//! a second key with either is refused, even with the same content, since nothing else is documented. It cannot be deleted
//! while a key group of the stack names it. Key groups and distributions themselves come from the template; every other
//! operation is refused by name.

mod public_key;
mod store;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;

pub(crate) use self::public_key::{HashAlgorithm, PublicKey, Verdict};

use self::store::StoredKey;
use super::clock;
use super::database::Database;
use super::installed::{Installed, Requirement};
use super::protocol::{Fault, Service, escape_xml, response};
use super::sts::parse_form;

const NAMESPACE: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";
const COLLECTION: &str = "/2020-05-31/public-key";
const MAXIMUM_COMMENT_CHARACTERS: usize = 128;
/// How many keys a page has, unless less is asked for.
const PAGE_ITEMS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PublicKeyConfig {
    #[serde(rename = "@xmlns")]
    _namespace: Option<String>,
    caller_reference: String,
    name: String,
    encoded_key: String,
    #[serde(default)]
    comment: String,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation<'a> {
    Create,
    List,
    Get(&'a str),
    Delete(&'a str),
}

impl<'a> Operation<'a> {
    fn of(parts: &'a Parts) -> Option<Operation<'a>> {
        let rest = parts.uri.path().strip_prefix(COLLECTION)?;
        match (&parts.method, rest.strip_prefix('/')) {
            (&Method::POST, None) if rest.is_empty() => Some(Operation::Create),
            (&Method::GET, None) if rest.is_empty() => Some(Operation::List),
            (&Method::GET, Some(id)) if is_id(id) => Some(Operation::Get(id)),
            (&Method::DELETE, Some(id)) if is_id(id) => Some(Operation::Delete(id)),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Operation::Create => "CreatePublicKey",
            Operation::List => "ListPublicKeys",
            Operation::Get(_) => "GetPublicKey",
            Operation::Delete(_) => "DeletePublicKey",
        }
    }
}

fn is_id(segment: &str) -> bool {
    !segment.is_empty() && !segment.contains('/')
}

/// The operation of a request; method and path of one that is not here.
pub(crate) fn operation(parts: &Parts) -> String {
    Operation::of(parts).map_or_else(
        || format!("{} {}", parts.method, parts.uri.path()),
        |operation| operation.name().to_owned(),
    )
}

/// What a request needs permission for. Public keys have no permissions of their own: the resource is `*`.
pub(crate) fn requirements(parts: &Parts) -> Result<Vec<Requirement>, Fault> {
    let Some(asked) = Operation::of(parts) else {
        return Err(Fault::not_implemented(&format!("CloudFront {}", operation(parts))));
    };
    Ok(vec![Requirement::new(format!("cloudfront:{}", asked.name()), "*")])
}

/// Carries out a permitted request.
pub(crate) fn run(
    database: &Database,
    installed: &Installed,
    parts: &Parts,
    body: &[u8],
    request_id: &str,
) -> Result<Response<Full<Bytes>>, Fault> {
    let asked = Operation::of(parts)
        .ok_or_else(|| Fault::not_implemented(&format!("CloudFront {}", operation(parts))))?;
    let xml = |status, xml| response(Service::CloudFront, status, xml, request_id);
    match asked {
        Operation::Create => {
            let key = create(database, body)?;
            let location = format!("https://cloudfront.amazonaws.com{COLLECTION}/{}", key.id);
            let mut response = xml(StatusCode::CREATED, public_key_xml(&key));
            set(&mut response, header::LOCATION, &location)?;
            set(&mut response, header::ETAG, &key.e_tag)?;
            Ok(response)
        }
        Operation::List => Ok(xml(StatusCode::OK, list(database, parts)?)),
        Operation::Get(id) => {
            let key = find(database, id)?;
            let mut response = xml(StatusCode::OK, public_key_xml(&key));
            set(&mut response, header::ETAG, &key.e_tag)?;
            Ok(response)
        }
        Operation::Delete(id) => {
            delete(database, installed, id, parts)?;
            Ok(xml(StatusCode::NO_CONTENT, String::new()))
        }
    }
}

/// The public key with this id, for those who verify signatures.
pub(crate) fn public_key(database: &Database, id: &str) -> Result<Option<PublicKey>, rusqlite::Error> {
    let stored = database.transaction(|transaction| store::find(transaction, id))?;
    Ok(stored.and_then(|stored| PublicKey::from_pem(&stored.encoded_key)))
}

fn create(database: &Database, body: &[u8]) -> Result<StoredKey, Fault> {
    let malformed = |reason: String| Fault::bad_request("MalformedXML", reason);
    let text = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
    let config: PublicKeyConfig =
        quick_xml::de::from_str(text).map_err(|error| malformed(error.to_string()))?;
    for (name, value) in [("CallerReference", &config.caller_reference), ("Name", &config.name)] {
        if value.is_empty() {
            return Err(invalid_argument(format!("The parameter {name} is required.")));
        }
    }
    if config.comment.chars().count() > MAXIMUM_COMMENT_CHARACTERS {
        return Err(invalid_argument("The comment cannot be longer than 128 characters."));
    }
    if PublicKey::from_pem(&config.encoded_key).is_none() {
        return Err(invalid_argument(
            "Your request contains an invalid public key: it must be a PEM-encoded RSA 2048 or ECDSA P-256 key.",
        ));
    }
    let key = StoredKey {
        id: format!("K{}", store::random_characters()?),
        e_tag: format!("E{}", store::random_characters()?),
        caller_reference: config.caller_reference,
        name: config.name,
        encoded_key: config.encoded_key,
        comment: config.comment,
        created_at_ms: clock::now_ms(),
    };
    database.transaction(|transaction| {
        if let Some(taken) = store::taken(transaction, &key)? {
            let message = format!(
                "The {taken} that you are using to create a CloudFront public key is associated with another public key \
                 in your account."
            );
            return Err(Fault::new(StatusCode::CONFLICT, "PublicKeyAlreadyExists", message));
        }
        store::insert(transaction, &key)?;
        Ok(())
    })?;
    Ok(key)
}

fn find(database: &Database, id: &str) -> Result<StoredKey, Fault> {
    database.transaction(|transaction| store::find(transaction, id))?.ok_or_else(no_such_key)
}

fn no_such_key() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "NoSuchPublicKey", "The specified public key does not exist.")
}

fn list(database: &Database, parts: &Parts) -> Result<String, Fault> {
    let parameters = parse_form(parts.uri.query().unwrap_or_default().as_bytes());
    if let Some(unknown) = parameters.keys().find(|name| !matches!(name.as_str(), "Marker" | "MaxItems")) {
        return Err(Fault::not_implemented(&format!("The parameter {unknown} of ListPublicKeys")));
    }
    let items = match parameters.get("MaxItems").map(|text| text.parse()) {
        None => PAGE_ITEMS,
        Some(Ok(items @ 1..=PAGE_ITEMS)) => items,
        Some(_) => return Err(invalid_argument("MaxItems must be a number from 1 to 100.")),
    };
    let marker = parameters.get("Marker").map_or("", String::as_str);
    // One more than is asked for tells whether there are more.
    let mut keys = database.transaction(|transaction| store::after(transaction, marker, items + 1))?;
    let is_truncated = keys.len() > items;
    keys.truncate(items);
    let next_marker = match keys.last().filter(|_| is_truncated) {
        Some(last) => format!("<NextMarker>{}</NextMarker>", last.id),
        None => String::new(),
    };
    let summaries: String = keys.iter().map(summary_xml).collect();
    Ok(format!(
        "{DECLARATION}<PublicKeyList xmlns=\"{NAMESPACE}\">{next_marker}<MaxItems>{items}</MaxItems>\
         <Quantity>{}</Quantity><Items>{summaries}</Items></PublicKeyList>",
        keys.len(),
    ))
}

fn delete(database: &Database, installed: &Installed, id: &str, parts: &Parts) -> Result<(), Fault> {
    let if_match = parts.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let if_match = if_match.ok_or_else(|| {
        Fault::bad_request(
            "InvalidIfMatchVersion",
            "The If-Match version is missing or not valid for the resource.",
        )
    })?;
    database.transaction(|transaction| {
        let key = store::find(transaction, id)?.ok_or_else(no_such_key)?;
        if key.e_tag != if_match {
            return Err(Fault::new(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "The request failed because it didn't meet the preconditions in one or more request-header fields.",
            ));
        }
        if installed.is_public_key_in_use(id) {
            return Err(Fault::new(
                StatusCode::CONFLICT,
                "PublicKeyInUse",
                "The specified public key is currently in use by a key group and cannot be deleted.",
            ));
        }
        store::remove(transaction, id)?;
        Ok(())
    })
}

const DECLARATION: &str = "<?xml version=\"1.0\"?>\n";

fn public_key_xml(key: &StoredKey) -> String {
    format!(
        "{DECLARATION}<PublicKey xmlns=\"{NAMESPACE}\"><Id>{}</Id>{}<PublicKeyConfig><CallerReference>{}\
         </CallerReference>{}</PublicKeyConfig></PublicKey>",
        key.id,
        created_xml(key),
        escape_xml(&key.caller_reference),
        described_xml(key),
    )
}

fn summary_xml(key: &StoredKey) -> String {
    let (created, described) = (created_xml(key), described_xml(key));
    format!("<PublicKeySummary><Id>{}</Id>{created}{described}</PublicKeySummary>", key.id)
}

fn created_xml(key: &StoredKey) -> String {
    format!("<CreatedTime>{}</CreatedTime>", clock::iso_8601(clock::from_milliseconds(key.created_at_ms)))
}

fn described_xml(key: &StoredKey) -> String {
    format!(
        "<Name>{}</Name><EncodedKey>{}</EncodedKey><Comment>{}</Comment>",
        escape_xml(&key.name),
        escape_xml(&key.encoded_key),
        escape_xml(&key.comment),
    )
}

fn set(response: &mut Response<Full<Bytes>>, name: HeaderName, value: &str) -> Result<(), Fault> {
    let value = HeaderValue::from_str(value).map_err(|error| Fault::internal(&error))?;
    response.headers_mut().insert(name, value);
    Ok(())
}

fn invalid_argument(message: impl Into<String>) -> Fault {
    Fault::bad_request("InvalidArgument", message)
}
