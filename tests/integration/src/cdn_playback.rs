//! Playing back through the CDN: URLs that live as long as asked, bound to addresses and a beginning.
//!
//! The edge reads the functions' clock, so what ends or begins is tried by moving that.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::miniatures::{self, Image};
use crate::platform::{File, Platform, expect, expect_problem, pointers};
use crate::signed_urls::{
    assert_all_refused, assert_saved_as, bent, ready, seconds, stream_urls, target, text,
};

crate::tests![
    a_url_of_the_cdn_lives_as_long_as_asked,
    a_bent_url_of_the_cdn_opens_nothing,
    a_url_of_the_cdn_ends,
    a_url_begins_when_it_says,
    a_url_is_for_its_addresses,
    conditions_are_checked_before_they_are_signed,
    the_cdn_saves_a_file_under_its_name,
    thumbnails_are_public_and_nothing_else_is,
    what_is_deleted_is_gone_from_the_cdn,
];

async fn start() -> Platform {
    Platform::start(|options| {
        options.parameters.insert("CdnEnabled".to_owned(), "true".to_owned());
    })
    .await
}

fn cdn_url(platform: &Platform) -> String {
    platform.stack.cdn_url().expect("the CDN")
}

async fn status(platform: &Platform, url: &str) -> StatusCode {
    platform.http.get(url).send().await.unwrap().status()
}

async fn a_url_of_the_cdn_lives_as_long_as_asked(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    let (media_id, file) = ready(&platform, &user).await;
    let urls = stream_urls(&platform, &user, &media_id, "?expires_in=86400").await;
    assert_eq!(urls["signed_url_expires_at"], urls["expires_at"]);
    let on_cdn = format!("{}/media/{media_id}/source?Expires=", cdn_url(&platform));
    let redirected = target(&platform, text(&urls, "stream_url")).await;
    for url in [text(&urls, "signed_url"), &redirected] {
        assert!(url.starts_with(&on_cdn) && url.ends_with("&Hash-Algorithm=SHA256"), "{url}");
        let whole = platform.http.get(url).send().await.unwrap();
        assert_eq!(whole.headers()["content-type"], "video/mp4");
        assert_eq!(whole.bytes().await.unwrap(), file.bytes);
        let middle = platform.http.get(url).header("range", "bytes=1000-1999").header("origin", "null");
        let middle = middle.send().await.unwrap();
        assert_eq!(middle.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(middle.headers()["access-control-allow-origin"], "*");
        let exposed =
            middle.headers()["access-control-expose-headers"].to_str().unwrap().to_ascii_lowercase();
        assert!(["content-length", "content-range", "etag"].iter().all(|name| exposed.contains(name)));
        assert_eq!(middle.bytes().await.unwrap(), file.bytes[1000..2000]);
        let beyond = platform.http.get(url).header("range", "bytes=99999999-").send().await.unwrap();
        assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(platform.http.head(url).send().await.unwrap().status(), StatusCode::OK);
    }
    // Here the direct URL can live as long as asked, whatever that is.
    let answer = platform.get(&user, &format!("/api/v1/s3-media/{media_id}?expires_in=86400")).await;
    let alias = expect(answer, StatusCode::OK).await;
    assert!(text(&alias, "signed_url").starts_with(&on_cdn), "{alias}");
    platform.shut_down().await;
}

async fn a_bent_url_of_the_cdn_opens_nothing(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    let ((media_id, file), (other_id, _)) = (ready(&platform, &user).await, ready(&platform, &user).await);
    for query in ["?expires_in=600", "?download=1", "?ip=127.0.0.0/8", "?ip=127.0.0.1&download=1"] {
        let urls = stream_urls(&platform, &user, &media_id, query).await;
        let url = text(&urls, "signed_url");
        let whole = platform.http.get(url).send().await.unwrap();
        assert_eq!(whole.bytes().await.unwrap(), file.bytes, "{query}");
        assert_eq!(url.contains("Policy="), query.contains("ip="), "{url}");
        assert_all_refused(&platform, bent(url, &media_id, &other_id)).await;
    }
    platform.shut_down().await;
}

async fn a_url_of_the_cdn_ends(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    let urls = stream_urls(&platform, &user, &media_id, "?expires_in=3600").await;
    let redirected = target(&platform, text(&urls, "stream_url")).await;
    let custom = stream_urls(&platform, &user, &media_id, "?expires_in=3600&ip=127.0.0.1").await;
    // A custom policy has its end in itself, whatever stands beside it.
    let prolonged = format!("{}&Expires=4102444800", text(&custom, "signed_url"));
    for (after, expected) in [(3_500, StatusCode::OK), (3_661, StatusCode::FORBIDDEN)] {
        platform.set_clock_offset(after);
        for url in [text(&urls, "signed_url"), &redirected, text(&custom, "signed_url"), &prolonged] {
            assert_eq!(status(&platform, url).await, expected, "after {after} s: {url}");
        }
    }
    // A player that comes back is given another one, as long as its own URL lives.
    platform.set_clock_offset(0);
    let urls = stream_urls(&platform, &user, &media_id, "?expires_in=86400").await;
    platform.set_clock_offset(80_000);
    let redirected = target(&platform, text(&urls, "stream_url")).await;
    assert_eq!(status(&platform, &redirected).await, StatusCode::OK);
    platform.shut_down().await;
}

async fn a_url_begins_when_it_says(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    let asked = stream_urls(&platform, &user, &media_id, "?expires_in=7200").await;
    let begins_at = domain::Timestamp::from_unix_seconds(seconds(text(&asked, "expires_at")) - 3_600);
    let query = format!("?expires_in=7200&not_before={begins_at}");
    let urls = stream_urls(&platform, &user, &media_id, &query).await;
    assert_eq!(status(&platform, text(&urls, "signed_url")).await, StatusCode::FORBIDDEN);
    let answer = platform.http.get(text(&urls, "stream_url")).send().await.unwrap();
    expect_problem(answer, StatusCode::UNAUTHORIZED, "token_not_yet_valid").await;

    platform.set_clock_offset(3_602);
    assert_eq!(status(&platform, text(&urls, "signed_url")).await, StatusCode::OK);
    let redirected = target(&platform, text(&urls, "stream_url")).await;
    assert_eq!(status(&platform, &redirected).await, StatusCode::OK);
    platform.shut_down().await;
}

async fn a_url_is_for_its_addresses(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    for ip in ["127.0.0.1", "127.0.0.0/8", "0.0.0.0/0"] {
        let urls = stream_urls(&platform, &user, &media_id, &format!("?ip={ip}")).await;
        let redirected = target(&platform, text(&urls, "stream_url")).await;
        for url in [text(&urls, "signed_url"), &redirected] {
            assert_eq!(status(&platform, url).await, StatusCode::OK, "{ip}");
        }
    }
    for ip in ["203.0.113.7", "203.0.113.0/24", "127.0.0.2"] {
        let urls = stream_urls(&platform, &user, &media_id, &format!("?ip={ip}")).await;
        let forwarded = platform.http.get(text(&urls, "signed_url")).header("x-forwarded-for", ip);
        assert_eq!(forwarded.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{ip}");
        // What a client says of its address changes nothing.
        let forwarded = platform.http.get(text(&urls, "stream_url")).header("x-forwarded-for", ip);
        let answer = forwarded.send().await.unwrap();
        expect_problem(answer, StatusCode::FORBIDDEN, "address_not_allowed").await;
    }
    platform.shut_down().await;
}

async fn conditions_are_checked_before_they_are_signed(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    for (query, pointer) in [
        ("ip=2001:db8::1", "?ip"),
        ("ip=203.0.113.7/24", "?ip"),
        ("ip=", "?ip"),
        ("ip=*", "?ip"),
        ("not_before=tomorrow", "?not_before"),
        ("not_before=2999-01-01T00:00:00Z", "?not_before"),
    ] {
        let answer = platform.get(&user, &format!("/media/{media_id}/stream-url?{query}")).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), [pointer], "{query}");
    }
    platform.shut_down().await;
}

async fn the_cdn_saves_a_file_under_its_name(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    for (name, saved_as) in crate::signed_urls::NAMES {
        let file = File { name: name.to_owned(), ..File::video() };
        let media = platform.upload(&user, &file).await;
        assert_saved_as(&platform, &user, media["id"].as_str().unwrap(), saved_as).await;
    }
    platform.shut_down().await;
}

async fn thumbnails_are_public_and_nothing_else_is(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    let (image, file) = (Image::png(), File::video());
    let created = miniatures::announce(&platform, &user, &file, &image).await;
    miniatures::send_image(&platform, &created, &image).await;
    miniatures::send_file(&platform, &created, &file).await;
    let media_id = miniatures::id_of(&created);
    let shown = |media: &serde_json::Value| {
        media["status"] == "ready"
            && !media["thumbnail_url"].as_str().unwrap().starts_with("https://example.com")
    };
    let media = platform.wait_for(&user, &media_id, shown).await;
    let thumbnail = text(&media, "thumbnail_url").to_owned();
    assert!(
        thumbnail.starts_with(&format!("{}/media/{media_id}/thumbnail/", cdn_url(&platform))),
        "{thumbnail}"
    );
    let answer = platform.http.get(&thumbnail).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert_eq!(answer.bytes().await.unwrap(), image.bytes);
    for list in ["/media?owner=me", "/search?title=v_h264_aac_faststart.mp4"] {
        let page = expect(platform.get(&user, list).await, StatusCode::OK).await;
        assert_eq!(page["items"][0]["thumbnail_url"], thumbnail.as_str(), "{list}");
    }
    // Whoever has the API's own address from before is sent there.
    let (_, path) = thumbnail.split_once("/media/").unwrap();
    let old = platform.request(Method::GET, &format!("/media/{path}")).send().await.unwrap();
    assert_eq!(
        (old.status(), old.headers()["location"].to_str().unwrap()),
        (StatusCode::FOUND, thumbnail.as_str())
    );
    for closed in
        [format!("/media/{media_id}/source"), "/".to_owned(), format!("/media/{media_id}/thumbnail/x")]
    {
        assert_eq!(
            status(&platform, &format!("{}{closed}", cdn_url(&platform))).await,
            StatusCode::FORBIDDEN
        );
    }

    let change = platform.request(Method::PATCH, &format!("/media/{media_id}")).bearer_auth(&user.token);
    let private = change.json(&json!({"visibility": "private"})).send().await.unwrap();
    let private = expect(private, StatusCode::OK).await;
    assert_ne!(private["thumbnail_url"], thumbnail.as_str());
    assert_eq!(status(&platform, text(&private, "thumbnail_url")).await, StatusCode::OK);
    crate::sweep::sweep_at(&platform, 0).await;
    assert_eq!(status(&platform, text(&private, "thumbnail_url")).await, StatusCode::OK);
    assert_eq!(status(&platform, &thumbnail).await, StatusCode::FORBIDDEN);
    platform.shut_down().await;
}

async fn what_is_deleted_is_gone_from_the_cdn(_shared: &Platform) {
    let platform = start().await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    platform.idle().await;
    let urls = stream_urls(&platform, &user, &media_id, "").await;
    let redirected = target(&platform, text(&urls, "stream_url")).await;
    let request = platform.request(Method::DELETE, &format!("/media/{media_id}")).bearer_auth(&user.token);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    crate::sweep::sweep_at(&platform, 0).await;
    for url in [text(&urls, "signed_url"), &redirected] {
        assert_eq!(status(&platform, url).await, StatusCode::FORBIDDEN);
    }
    let answer = platform.http.get(text(&urls, "stream_url")).send().await.unwrap();
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    let answer = platform.get(&user, &format!("/media/{media_id}/stream-url")).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    platform.shut_down().await;
}
