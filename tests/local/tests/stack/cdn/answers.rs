//! What comes back: ranges, conditions, and the headers that policies add.

use super::{BODY, OBJECT, Site, THUMBNAIL, code};

#[tokio::test]
async fn ranges_and_conditions_are_the_buckets() {
    let site = Site::start().await;
    let path = site.signed(OBJECT);
    let whole = site.get(&path).await;
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("x-cache"), Some("Miss from cloudfront"));
    assert_eq!(whole.header("x-amz-request-id"), None);
    let e_tag = whole.header("etag").unwrap().to_owned();

    for (range, status, content_range, body) in [
        ("bytes=2-4", 206, Some("bytes 2-4/10"), &BODY[2..5]),
        ("bytes=7-", 206, Some("bytes 7-9/10"), &BODY[7..]),
        ("bytes=-1", 206, Some("bytes 9-9/10"), &BODY[9..]),
        ("lines=1-2", 200, None, BODY),
    ] {
        let reply = site.send("GET", &path, &[&format!("Range: {range}")]).await;
        assert_eq!((reply.status, reply.header("content-range")), (status, content_range), "{range}");
        assert_eq!(reply.body, body, "{range}");
    }
    let beyond = site.send("GET", &path, &["Range: bytes=10-"]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    let (same, other) = (format!("If-None-Match: {e_tag}"), "If-Match: \"other\"");
    assert_eq!(site.send("GET", &path, &[&same]).await.status, 304);
    assert_eq!(site.send("GET", &path, &[other]).await.status, 412);
    let (if_range, old) = (format!("If-Range: {e_tag}"), "If-Range: \"old\"");
    assert_eq!(site.send("GET", &path, &["Range: bytes=0-0", &if_range]).await.status, 206);
    assert_eq!(site.send("GET", &path, &["Range: bytes=0-0", old]).await.status, 200);

    let head = site.send("HEAD", &path, &["Range: bytes=2-4"]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (206, Some("3"), 0));
    site.stack.shut_down().await;
}

#[tokio::test]
async fn only_the_query_that_the_cache_policy_names_reaches_the_bucket() {
    let site = Site::start().await;
    let disposition = "response-content-disposition=attachment%3B%20filename%3D%22a.mp4%22";
    for method in ["GET", "HEAD"] {
        let reply = site.send(method, &site.signed(&format!("{OBJECT}?{disposition}")), &[]).await;
        let given = reply.header("content-disposition");
        assert_eq!((reply.status, given), (200, Some("attachment; filename=\"a.mp4\"")), "{method}");
    }
    // Not named: neither heeded nor, being unknown to the bucket, refused by it.
    for query in ["response-content-type=text%2Fhtml", "versionId=null", "acl", "anything=1"] {
        let reply = site.get(&site.signed(&format!("{OBJECT}?{query}"))).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("video/mp4")), "{query}");
    }
    // It is signed all the same.
    let path = site.signed(&format!("{OBJECT}?{disposition}"));
    assert_eq!(site.get(&path.replace("attachment", "inline")).await.status, 403);
    assert_eq!(site.get(&path.replace(&format!("{disposition}&"), "")).await.status, 403);
    // Without a signature nobody says how an object is shown.
    let reply = site.get(&format!("{THUMBNAIL}?{disposition}")).await;
    assert_eq!((reply.status, reply.header("content-disposition")), (200, None));
    site.stack.shut_down().await;
}

#[tokio::test]
async fn what_the_origin_answers_gets_the_policys_headers() {
    let site = Site::start().await;
    let path = site.signed(OBJECT);
    let origin = "Origin: https://player.example";
    let reply = site.send("GET", &path, &[origin]).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("access-control-expose-headers"), Some("Content-Length, Content-Range, ETag"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.headers["access-control-allow-origin"].len(), 1);
    let without = site.get(&path).await;
    assert_eq!(without.header("access-control-allow-origin"), None);
    assert_eq!(without.header("x-content-type-options"), Some("nosniff"));

    let preflight = |asked: &'static str| {
        let method = "Access-Control-Request-Method: GET";
        let (site, path) = (&site, &path);
        async move { site.send("OPTIONS", path, &[origin, method, asked]).await }
    };
    let allowed = preflight("Access-Control-Request-Headers: if-none-match").await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("Range, If-None-Match"));
    assert_eq!(allowed.header("access-control-max-age"), Some("7200"));
    // The bucket is asked too, and its rules do not let this in.
    assert_eq!(preflight("Access-Control-Request-Headers: x-other").await.status, 403);

    // The bucket's refusal has the headers, CloudFront's own has not.
    let missing = site.send("GET", &site.signed("/media/1/nothing"), &[origin]).await;
    assert_eq!((missing.status, missing.header("access-control-allow-origin")), (403, Some("*")));
    let unsigned = site.send("GET", OBJECT, &[origin]).await;
    assert_eq!((code(&unsigned), unsigned.header("access-control-allow-origin")), ("MissingKey", None));
    site.stack.shut_down().await;
}

#[tokio::test]
async fn a_behaviour_without_key_groups_asks_for_no_signature() {
    let site = Site::start().await;
    let reply = site.get(THUMBNAIL).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, BODY));
    // The first pattern that matches counts, and only the path.
    for path in ["/media/1/thumbnails/2", "/media/1/source?/media/1/thumbnail/2"] {
        assert_eq!(code(&site.get(path).await), "MissingKey", "{path}");
    }
    site.stack.shut_down().await;
}
