//! What a cache may do with an answer: what each route says, and records that are not sent again.

use std::collections::BTreeMap;

use reqwest::{Method, Response, StatusCode};

use crate::platform::{File, Platform, expect};

crate::tests![what_is_known_is_not_sent_again, what_one_user_has_is_not_taken_for_anothers];

/// What is answered where all goes well, and on which routes. Problems are not stored, whatever the route.
const CACHE_CONTROL: &str = "
no-store
    POST /auth/signup               POST /auth/register         POST /auth/login
    POST /auth/signin               POST /auth/token            POST /auth/refresh
    POST /auth/logout               POST /users/me/password     GET /users
    POST /users                     DELETE /users/{user_id}     POST /users/{user_id}/password
    POST /media                     POST /content               GET /media
    GET /content                    GET /search                 DELETE /media/{media_id}
    DELETE /content/{media_id}      GET /media/{media_id}/jobs  DELETE /api/v1/s3-media/{media_id}
    GET /media/{media_id}/stream-url        GET /api/v1/s3-media/{media_id}     GET /media/stream/{media_id}
    HEAD /media/stream/{media_id}           GET /content/{media_id}/stream      POST /api/v1/s3-media/upload
    POST /api/v1/bulk-upload                GET /api/v1/{upload_id}/part/{num}  POST /api/v1/{upload_id}/parts
    GET /api/v1/{upload_id}/parts           POST /api/v1/{upload_id}/complete   DELETE /api/v1/{upload_id}
    GET /health                             GET /ping                           GET /api/v1/ping
    POST /media/{media_id}/view             GET /media/{media_id}/analytics     $default
    POST /upload-tokens                     GET /s3/params                      POST /s3/multipart
    GET /s3/multipart/{upload_id}           DELETE /s3/multipart/{upload_id}
    GET /s3/multipart/{upload_id}/{part_number}                 POST /s3/multipart/{upload_id}/complete
    GET /u/{upload_token}/s3/params                             POST /u/{upload_token}/s3/multipart
    GET /u/{upload_token}/s3/multipart/{upload_id}              DELETE /u/{upload_token}/s3/multipart/{upload_id}
    GET /u/{upload_token}/s3/multipart/{upload_id}/{part_number}
    POST /u/{upload_token}/s3/multipart/{upload_id}/complete

private, no-cache
    GET /users/me               GET /users/{user_id}        PATCH /users/{user_id}
    GET /media/{media_id}       GET /content/{media_id}     PATCH /media/{media_id}
    PATCH /content/{media_id}   PUT /content/{media_id}

public, no-cache
    GET /openapi.json   GET /docs   GET /redoc   GET /docs/{file}

public, max-age=300
    GET /.well-known/jwks.json  GET /media/{media_id}/thumbnail/{key}   HEAD /media/{media_id}/thumbnail/{key}

public, no-cache
    GET /console                GET /console/{file}

public, max-age=60
    GET /version

public, max-age=10
    GET /api/v1/s3-media/health/s3
";

/// What is wrong with what an answer of this route says to caches, if anything is. The matrix asks it of every route.
pub(crate) fn objection(route: &str, answer: &Response) -> Option<String> {
    let is_refused = answer.status().is_client_error() || answer.status().is_server_error();
    let expected =
        if is_refused { "no-store" } else { *table().get(route).unwrap_or(&"a row in CACHE_CONTROL") };
    let header = |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let vary = if expected.starts_with("private") { "authorization" } else { "" };
    // API Gateway adds `Origin` where it answers CORS; none is asked for here.
    let is_right = header("cache-control") == expected && header("vary") == vary;
    (!is_right).then(|| format!("{expected:?}, not {:?}; vary {:?}", header("cache-control"), header("vary")))
}

/// Each route, and what it says.
fn table() -> BTreeMap<&'static str, &'static str> {
    let mut table = BTreeMap::new();
    let mut said = "";
    for line in CACHE_CONTROL.lines().filter(|line| !line.is_empty()) {
        if !line.starts_with(' ') {
            said = line;
            continue;
        }
        for route in line.split("  ").map(str::trim).filter(|route| !route.is_empty()) {
            assert!(table.insert(route, said).is_none(), "{route} is there twice");
        }
    }
    table
}

async fn what_is_known_is_not_sent_again(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let media = platform.announce(&user, &File::video()).await;
    for (route, path) in [
        ("GET /users/me", "/users/me".to_owned()),
        ("GET /users/{user_id}", format!("/users/{}", user.id)),
        ("GET /media/{media_id}", format!("/media/{}", media["media"]["id"].as_str().unwrap())),
        ("GET /.well-known/jwks.json", "/.well-known/jwks.json".to_owned()),
        ("GET /openapi.json", "/openapi.json".to_owned()),
        ("GET /docs", "/docs".to_owned()),
        ("GET /docs/{file}", "/docs/swagger-ui.css".to_owned()),
        ("GET /console", "/console".to_owned()),
        ("GET /console/{file}", "/console/main.js".to_owned()),
    ] {
        let get = |if_none_match: Option<&str>| {
            let request = platform.request(Method::GET, &path).bearer_auth(&admin.token);
            let request = match if_none_match {
                Some(etag) => request.header("if-none-match", etag),
                None => request,
            };
            async move { request.send().await.unwrap() }
        };
        let first = get(None).await;
        assert_eq!(first.status(), StatusCode::OK, "{path}");
        let etag = first.headers()["etag"].to_str().unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag} is not strong");
        for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let answer = get(Some(&known)).await;
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{path} {known}");
            assert_eq!(answer.headers()["etag"], etag.as_str());
            assert_eq!(objection(route, &answer), None, "{path}");
            assert!(answer.bytes().await.unwrap().is_empty());
        }
        assert_eq!(get(Some("\"x\"")).await.status(), StatusCode::OK);
    }
}

async fn what_one_user_has_is_not_taken_for_anothers(platform: &Platform) {
    let (one, other) = (platform.sign_up().await, platform.sign_up().await);
    let answer = platform.get(&one, "/users/me").await;
    let etag = answer.headers()["etag"].clone();
    // Both accounts are of the same version, and a browser keeps an answer by its address.
    let request = platform.request(Method::GET, "/users/me").bearer_auth(&other.token);
    let answer = request.header("if-none-match", etag).send().await.unwrap();
    assert_eq!(expect(answer, StatusCode::OK).await["id"], other.id.as_str());
}
