//! Miniatures: what is uploaded beside a media, verified by its content, and shown to whoever has its URL.
//!
//! The images of `images/` are ffmpeg's `testsrc=size=8x6`, one frame each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use local::aws::Answer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, Item, PATIENCE, Platform, User, eventually, expect, expect_problem, pointers};
use crate::processing::deliver;

crate::tests![
    every_format_is_published_and_shown_to_whoever_has_the_url,
    an_image_that_breaks_a_rule_is_rejected_and_its_media_goes_on,
    the_same_event_many_times_changes_nothing,
    the_first_accepted_image_is_shown,
    a_media_that_is_not_to_be_had_has_no_thumbnail,
    file_and_miniature_are_processed_at_the_same_time,
    a_run_that_breaks_off_at_any_call_is_made_up_for,
    an_answer_that_is_lost_changes_nothing,
    a_wrong_key_looks_like_no_media,
    showing_takes_one_read,
    limits_are_the_deployments,
];

/// An image and its media type.
#[derive(Clone)]
pub(crate) struct Image {
    content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Image {
    fn every() -> [Self; 5] {
        let image = |content_type, bytes: &[u8]| Self { content_type, bytes: bytes.to_vec() };
        [
            image("image/jpeg", include_bytes!("../images/8x6.jpg")),
            image("image/png", include_bytes!("../images/8x6.png")),
            image("image/webp", include_bytes!("../images/8x6.webp")),
            image("image/gif", include_bytes!("../images/8x6.gif")),
            image("image/avif", include_bytes!("../images/8x6.avif")),
        ]
    }

    pub(crate) fn png() -> Self {
        Self::every()[1].clone()
    }

    /// As a part of a form.
    pub(crate) fn part(&self) -> reqwest::multipart::Part {
        let part = reqwest::multipart::Part::bytes(self.bytes.clone()).file_name("still");
        part.mime_str(self.content_type).unwrap()
    }

    /// As it is asked for in an announcement.
    pub(crate) fn announcement(&self) -> Value {
        json!({"filename": "still", "content_type": self.content_type, "size_bytes": self.bytes.len()})
    }
}

/// A PNG that says it has this size.
fn png_of(width: u32, height: u32) -> Image {
    let mut png = Image::png();
    png.bytes[16..20].copy_from_slice(&width.to_be_bytes());
    png.bytes[20..24].copy_from_slice(&height.to_be_bytes());
    png
}

/// Announces a file with a miniature.
pub(crate) async fn announce(platform: &Platform, user: &User, file: &File, image: &Image) -> Value {
    let mut body = file.announcement();
    body["miniature"] = image.announcement();
    body["thumbnail_url"] = json!("https://example.com/own.jpg");
    expect(platform.post_as(user, "/media", &body).await, StatusCode::CREATED).await
}

pub(crate) fn id_of(created: &Value) -> String {
    created["media"]["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn send_image(platform: &Platform, created: &Value, image: &Image) {
    let sent = platform.put(&created["miniature_upload"], image.bytes.clone()).await;
    assert_eq!(sent.status(), StatusCode::OK);
}

pub(crate) async fn send_file(platform: &Platform, created: &Value, file: &File) {
    assert_eq!(platform.put(&created["upload"], file.bytes.clone()).await.status(), StatusCode::OK);
}

/// Writes an object in the miniature's slot past the signed URL; answers its version id and ETag.
async fn put_as_operator(platform: &Platform, media_id: &str, image: &Image) -> (String, String) {
    let put = platform.s3().put_object().bucket(platform.bucket("IngestBucket"));
    let put = put.key(format!("uploads/{media_id}/miniature")).content_type(image.content_type);
    let answer = put.body(ByteStream::from(image.bytes.clone())).send().await.unwrap();
    (answer.version_id.unwrap(), answer.e_tag.unwrap().trim_matches('"').to_owned())
}

fn event_of(platform: &Platform, media_id: &str, version_id: &str, etag: &str) -> Value {
    let mut event = crate::processing::event_of(platform, media_id, version_id, etag);
    event["Records"][0]["s3"]["object"]["key"] = json!(format!("uploads/{media_id}/miniature"));
    event
}

async fn record(platform: &Platform, media_id: &str) -> Item {
    platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap()
}

/// Where the miniature stands, and why.
async fn miniature_state(platform: &Platform, media_id: &str) -> (String, Option<String>) {
    let record = record(platform, media_id).await;
    let miniature = record["miniature"].as_m().unwrap();
    let failure =
        miniature.get("failure").map(|failure| failure.as_m().unwrap()["code"].as_s().unwrap().clone());
    (miniature["status"].as_s().unwrap().clone(), failure)
}

/// The miniature's status once it is neither awaited nor in processing.
pub(crate) async fn miniature_ended(platform: &Platform, media_id: &str) -> (String, Option<String>) {
    let mut state = (String::new(), None);
    let has_ended = eventually(PATIENCE, async || {
        state = miniature_state(platform, media_id).await;
        !matches!(state.0.as_str(), "awaiting_upload" | "processing")
    })
    .await;
    assert!(has_ended, "still {state:?}");
    state
}

async fn objects(platform: &Platform, bucket: &str, prefix: String) -> usize {
    let list = platform.s3().list_objects_v2().bucket(platform.bucket(bucket)).prefix(prefix).send();
    list.await.unwrap().contents().len()
}

async fn used_bytes(platform: &Platform, user: &User) -> usize {
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    usage["size_bytes"].as_n().unwrap().parse().unwrap()
}

/// Where the thumbnail of a media leads to.
pub(crate) async fn shown(platform: &Platform, thumbnail_url: &Value) -> Vec<u8> {
    let redirect = platform.http.get(thumbnail_url.as_str().unwrap()).send().await.unwrap();
    assert_eq!(redirect.status(), StatusCode::FOUND);
    let image = platform.http.get(redirect.headers()["location"].to_str().unwrap()).send().await.unwrap();
    assert_eq!(image.status(), StatusCode::OK);
    image.bytes().await.unwrap().to_vec()
}

async fn every_format_is_published_and_shown_to_whoever_has_the_url(platform: &Platform) {
    let file = File::video();
    for image in Image::every() {
        let user = platform.sign_up().await;
        let created = announce(platform, &user, &file, &image).await;
        let media_id = id_of(&created);
        assert_eq!(created["media"]["thumbnail_url"], "https://example.com/own.jpg");
        send_image(platform, &created, &image).await;
        // Before the file itself is there.
        let media = platform
            .wait_for(&user, &media_id, |media| media["thumbnail_url"] != "https://example.com/own.jpg")
            .await;
        assert_eq!(media["status"], "awaiting_upload");
        let url = media["thumbnail_url"].as_str().unwrap();
        let own = format!("{}/media/{media_id}/thumbnail/", platform.stack.api_url());
        assert!(url.strip_prefix(&own).is_some_and(|key| key.len() == 32), "{url}");

        // Nobody has to say who they are.
        let redirect = platform.http.get(url).send().await.unwrap();
        assert_eq!(redirect.status(), StatusCode::FOUND);
        assert_eq!(redirect.headers()["cache-control"], "public, max-age=300");
        let location = redirect.headers()["location"].to_str().unwrap();
        let shown = platform.http.get(location).send().await.unwrap();
        assert_eq!(shown.status(), StatusCode::OK);
        assert_eq!(shown.headers()["content-type"], image.content_type);
        assert_eq!(shown.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(shown.bytes().await.unwrap(), image.bytes);
        let redirect = platform.http.head(url).send().await.unwrap();
        assert_eq!(redirect.status(), StatusCode::FOUND);
        let location = redirect.headers()["location"].to_str().unwrap();
        let head = platform.http.head(location).send().await.unwrap();
        assert_eq!(head.headers()["content-length"], image.bytes.len().to_string());

        // What it took is settled, and the file is awaited as before.
        platform.idle_for(&media_id).await;
        assert_eq!(objects(platform, "IngestBucket", format!("uploads/{media_id}")).await, 0);
        assert_eq!(platform.kinds_of_work(&media_id).await, ["upload"]);
        assert_eq!(used_bytes(platform, &user).await, file.bytes.len() + image.bytes.len());
        let upload_id = created["miniature_upload"]["upload_id"].as_str().unwrap();
        let upload = platform.item(&format!("UPLOAD#{upload_id}"), "UPLOAD").await.unwrap();
        assert_eq!(upload["state"].as_s().unwrap(), "completed");
        assert_eq!(platform.items(&format!("MEDIA#{media_id}"), "JOB#").await.len(), 0);
    }
}

async fn an_image_that_breaks_a_rule_is_rejected_and_its_media_goes_on(platform: &Platform) {
    let [jpeg, png, ..] = Image::every();
    let video = Image { content_type: "image/png", bytes: File::video().bytes[..png.bytes.len()].to_vec() };
    let text = Image { content_type: "image/png", bytes: vec![b'x'; png.bytes.len()] };
    let cut = Image { bytes: [&png.bytes[..20], &[0; 108][..]].concat(), ..png.clone() };
    let longer = Image { bytes: [png.bytes.clone(), vec![0]].concat(), ..png.clone() };
    for (announced, sent, code) in [
        (Image { content_type: "image/png", ..jpeg.clone() }, jpeg.clone(), "content_type_mismatch"),
        (
            Image { content_type: "image/png", ..jpeg.clone() },
            Image { content_type: "image/png", ..jpeg },
            "content_type_mismatch",
        ),
        (png.clone(), video, "unsupported_container"),
        (png.clone(), text, "unsupported_container"),
        (png.clone(), cut, "malformed_container"),
        (png.clone(), longer, "size_mismatch"),
        (png.clone(), png_of(16_385, 1), "image_too_large"),
        (png.clone(), png_of(1, u32::MAX), "image_too_large"),
        (png.clone(), png_of(0, 1), "malformed_container"),
    ] {
        let (user, file) = (platform.sign_up().await, File::video());
        let created = announce(platform, &user, &file, &announced).await;
        let media_id = id_of(&created);
        put_as_operator(platform, &media_id, &sent).await;
        let ended = miniature_ended(platform, &media_id).await;
        assert_eq!(ended, ("rejected".to_owned(), Some(code.to_owned())));
        send_file(platform, &created, &file).await;
        let media = platform.settled(&user, &media_id).await;
        assert_eq!(media["status"], "ready");
        assert_eq!(media["thumbnail_url"], "https://example.com/own.jpg");
        platform.idle_for(&media_id).await;
        // It is neither kept, nor published, nor counted.
        assert_eq!(objects(platform, "IngestBucket", format!("uploads/{media_id}")).await, 0);
        assert_eq!(objects(platform, "MediaBucket", format!("media/{media_id}/thumbnail")).await, 0);
        assert_eq!(used_bytes(platform, &user).await, file.bytes.len());
        assert_eq!(platform.kinds_of_work(&media_id).await, Vec::<String>::new());
    }
    // As large as they may be.
    let (user, largest) = (platform.sign_up().await, png_of(16_384, 16_384));
    let created = announce(platform, &user, &File::video(), &largest).await;
    send_image(platform, &created, &largest).await;
    assert_eq!(miniature_ended(platform, &id_of(&created)).await.0, "published");
}

async fn the_same_event_many_times_changes_nothing(platform: &Platform) {
    let (user, image) = (platform.sign_up().await, Image::png());
    let created = announce(platform, &user, &File::video(), &image).await;
    let media_id = id_of(&created);
    // Several at once, and several when all is done.
    let object = put_as_operator(platform, &media_id, &image).await;
    let event = event_of(platform, &media_id, &object.0, &object.1);
    for _ in 0..3 {
        deliver(platform, &event).await;
    }
    assert_eq!(miniature_ended(platform, &media_id).await.0, "published");
    platform.idle_for(&media_id).await;
    let before = record(platform, &media_id).await;
    for _ in 0..3 {
        deliver(platform, &event).await;
    }
    platform.idle_for(&media_id).await;
    assert_eq!(record(platform, &media_id).await, before);
    assert_eq!(used_bytes(platform, &user).await, File::video().bytes.len() + image.bytes.len());
    // The first one is what is shown, whatever comes later.
    let other = Image { bytes: png_of(7, 7).bytes, ..image.clone() };
    put_as_operator(platform, &media_id, &other).await;
    platform.idle_for(&media_id).await;
    assert_eq!(record(platform, &media_id).await, before);
    assert_eq!(objects(platform, "IngestBucket", format!("uploads/{media_id}")).await, 0);
    let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    assert_eq!(shown(platform, &media["thumbnail_url"]).await, image.bytes);
}

async fn the_first_accepted_image_is_shown(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let images: Vec<Image> = (1..=4).map(|width| png_of(width, 1)).collect();
    let created = announce(&platform, &user, &File::video(), &images[0]).await;
    let media_id = id_of(&created);
    // While the first is being copied, the others come, and their runs take no time at all.
    let (copying, mut is_copying) = tokio::sync::watch::channel(false);
    let number = AtomicUsize::new(0);
    let slow = platform.calls().intercept(move |attempt| {
        let is_first = attempt.operation == "CopyObject" && number.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then(|| {
            copying.send_replace(true);
            Answer::Delay(Duration::from_secs(1))
        })
    });
    let (first_version, _) = put_as_operator(&platform, &media_id, &images[0]).await;
    tokio::time::timeout(PATIENCE, is_copying.wait_for(|copying| *copying)).await.unwrap().unwrap();
    for image in &images[1..] {
        put_as_operator(&platform, &media_id, image).await;
    }
    assert_eq!(miniature_ended(&platform, &media_id).await.0, "published");
    platform.idle().await;
    drop(slow);
    let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    assert_eq!(shown(&platform, &media["thumbnail_url"]).await, images[0].bytes);
    let record = record(&platform, &media_id).await;
    let accepted = record["miniature"].as_m().unwrap()["source"].as_m().unwrap();
    assert_eq!(accepted["version_id"].as_s().unwrap(), &first_version);
    assert_eq!(objects(&platform, "MediaBucket", format!("media/{media_id}/thumbnail")).await, 1);
    assert_eq!(objects(&platform, "IngestBucket", format!("uploads/{media_id}")).await, 0);
    platform.shut_down().await;
}

async fn a_media_that_is_not_to_be_had_has_no_thumbnail(platform: &Platform) {
    let (user, image, bad) = (platform.sign_up().await, Image::png(), File::sample("v_bad_text.mp4"));
    // Published first, rejected later.
    let created = announce(platform, &user, &bad, &image).await;
    let media_id = id_of(&created);
    send_image(platform, &created, &image).await;
    assert_eq!(miniature_ended(platform, &media_id).await.0, "published");
    let path = format!("/media/{media_id}");
    let media = expect(platform.get(&user, &path).await, StatusCode::OK).await;
    assert_eq!(shown(platform, &media["thumbnail_url"]).await, image.bytes);
    send_file(platform, &created, &bad).await;
    assert_eq!(platform.settled(&user, &media_id).await["status"], "rejected");
    let hidden = platform.http.get(media["thumbnail_url"].as_str().unwrap()).send().await.unwrap();
    expect_problem(hidden, StatusCode::NOT_FOUND, "not_found").await;
    let rejected = expect(platform.get(&user, &path).await, StatusCode::OK).await;
    assert_eq!(rejected["thumbnail_url"], "https://example.com/own.jpg");

    // Rejected first: what comes then is removed.
    let created = announce(platform, &user, &bad, &image).await;
    let media_id = id_of(&created);
    send_file(platform, &created, &bad).await;
    assert_eq!(platform.settled(&user, &media_id).await["status"], "rejected");
    send_image(platform, &created, &image).await;
    platform.idle_for(&media_id).await;
    assert_eq!(miniature_state(platform, &media_id).await.0, "awaiting_upload");
    assert_eq!(objects(platform, "IngestBucket", format!("uploads/{media_id}/miniature")).await, 0);
    assert_eq!(objects(platform, "MediaBucket", format!("media/{media_id}")).await, 0);

    // Nobody announced one, or no such media.
    let plain = platform.announce(&user, &File::video()).await;
    for media_id in [id_of(&plain), uuid::Uuid::now_v7().to_string()] {
        put_as_operator(platform, &media_id, &image).await;
        platform.idle_for(&media_id).await;
        assert_eq!(objects(platform, "MediaBucket", format!("media/{media_id}")).await, 0);
    }
    assert_eq!(objects(platform, "IngestBucket", format!("uploads/{}", id_of(&plain))).await, 0);
}

async fn file_and_miniature_are_processed_at_the_same_time(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (file, image) = (File::video(), Image::png());
    // The queue tells each of them three times, and copies take their time.
    platform.aws().queues().duplicate(&platform.queue("IngestQueue"), 3, Duration::from_millis(200)).unwrap();
    let slow = platform.calls().intercept(|attempt| {
        (attempt.operation == "CopyObject").then_some(Answer::Delay(Duration::from_millis(100)))
    });
    for _ in 0..5 {
        let user = platform.sign_up().await;
        let created = announce(&platform, &user, &file, &image).await;
        let media_id = id_of(&created);
        tokio::join!(send_file(&platform, &created, &file), send_image(&platform, &created, &image));
        let media = platform.settled(&user, &media_id).await;
        assert_eq!(media["status"], "ready");
        assert_eq!(miniature_ended(&platform, &media_id).await.0, "published");
        platform.idle().await;
        let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
        assert_eq!(shown(&platform, &media["thumbnail_url"]).await, image.bytes);
        assert_eq!(crate::processing::play(&platform, &user, &media_id).await, file.bytes);
        assert_eq!(used_bytes(&platform, &user).await, file.bytes.len() + image.bytes.len());
        assert_eq!(platform.kinds_of_work(&media_id).await, Vec::<String>::new());
        assert_eq!(objects(&platform, "IngestBucket", format!("uploads/{media_id}")).await, 0);
    }
    drop(slow);
    platform.shut_down().await;
}

/// Sends miniatures while the function's calls are disturbed: the first `times` from the `n`th on, for every `n`.
async fn disturb_every_call(answer: Answer, times: usize) {
    let platform = Platform::start(|_| {}).await;
    let (user, image) = (platform.sign_up().await, Image::png());
    let mut rounds = 0;
    loop {
        let (seen, disturbed) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let (count, answer) = (Arc::clone(&disturbed), answer.clone());
        let interception = platform.calls().intercept(move |attempt| {
            let is_function = matches!(&attempt.principal, local::aws::Principal::Function(id) if id == "ExtractMetadataFunction");
            // Lambda's poller has the function's name too; what it does is not the run's.
            let is_meant = is_function && attempt.service != "sqs";
            let number = if is_meant { seen.fetch_add(1, Ordering::SeqCst) } else { usize::MAX };
            let is_disturbed = (rounds..rounds + times).contains(&number);
            count.fetch_add(usize::from(is_disturbed), Ordering::SeqCst);
            is_disturbed.then(|| answer.clone())
        });
        let created = announce(&platform, &user, &File::video(), &image).await;
        let media_id = id_of(&created);
        send_image(&platform, &created, &image).await;
        assert_eq!(miniature_ended(&platform, &media_id).await.0, "published", "at call {rounds}");
        platform.idle().await;
        drop(interception);
        let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
        assert_eq!(shown(&platform, &media["thumbnail_url"]).await, image.bytes, "at call {rounds}");
        assert_eq!(objects(&platform, "IngestBucket", format!("uploads/{media_id}")).await, 0);
        rounds += 1;
        if disturbed.load(Ordering::SeqCst) < times {
            break;
        }
        assert!(rounds < 30, "a run makes about eight calls");
    }
    assert!(rounds > 6, "{rounds}");
    // Everything was counted once.
    let expected = rounds * (File::video().bytes.len() + image.bytes.len());
    assert_eq!(used_bytes(&platform, &user).await, expected);
    platform.shut_down().await;
}

async fn a_run_that_breaks_off_at_any_call_is_made_up_for(_shared: &Platform) {
    // As often as the SDK tries it.
    disturb_every_call(Answer::Drop, 3).await;
}

async fn an_answer_that_is_lost_changes_nothing(_shared: &Platform) {
    disturb_every_call(Answer::DropAnswer, 1).await;
}

async fn a_wrong_key_looks_like_no_media(platform: &Platform) {
    let (user, image) = (platform.sign_up().await, Image::png());
    let mut thumbnails = Vec::new();
    for _ in 0..2 {
        let created = announce(platform, &user, &File::video(), &image).await;
        send_image(platform, &created, &image).await;
        assert_eq!(miniature_ended(platform, &id_of(&created)).await.0, "published");
        let path = format!("/media/{}", id_of(&created));
        let media = expect(platform.get(&user, &path).await, StatusCode::OK).await;
        let url = media["thumbnail_url"].as_str().unwrap();
        thumbnails.push((id_of(&created), url.rsplit_once('/').unwrap().1.to_owned()));
    }
    let ((media_id, key), (_, another_key)) = (&thumbnails[0], &thumbnails[1]);
    let awaited = id_of(&announce(platform, &user, &File::video(), &image).await);
    let awaited_key =
        record(platform, &awaited).await["miniature"].as_m().unwrap()["key"].as_s().unwrap().clone();
    let mut details = Vec::new();
    for (media_id, key) in [
        (media_id, another_key.as_str()),
        (media_id, "00000000000000000000000000000000"),
        (media_id, &key.to_uppercase()),
        (media_id, &key[..31]),
        (media_id, "latest"),
        (&uuid::Uuid::now_v7().to_string(), key),
        (&"x".to_owned(), key),
        // Announced, and not there yet.
        (&awaited, &awaited_key),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let path = format!("/media/{media_id}/thumbnail/{key}");
            let answer = platform.request(method.clone(), &path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method} {path}");
            if method == Method::GET {
                let problem = expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
                details.push(problem["detail"].clone());
            }
        }
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
}

async fn showing_takes_one_read(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (user, image) = (platform.sign_up().await, Image::png());
    let created = announce(&platform, &user, &File::video(), &image).await;
    send_image(&platform, &created, &image).await;
    let media_id = id_of(&created);
    assert_eq!(miniature_ended(&platform, &media_id).await.0, "published");
    platform.idle().await;
    let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    let sequence = platform.calls().sequence();
    let redirect = platform.http.get(media["thumbnail_url"].as_str().unwrap()).send().await.unwrap();
    let calls = platform.calls().since(sequence).into_iter().filter(|call| call.service != "sqs");
    assert_eq!(calls.map(|call| call.operation).collect::<Vec<_>>(), ["GetItem"]);
    // The redirect may be kept for less time than what it leads to lives.
    let location = redirect.headers()["location"].to_str().unwrap();
    let life = location.split_once("X-Amz-Expires=").unwrap().1.split('&').next().unwrap();
    assert!(life.parse::<u64>().unwrap() >= 3 * 300, "{life}");
    platform.shut_down().await;
}

async fn limits_are_the_deployments(_shared: &Platform) {
    let png = Image::png();
    let limit = png.bytes.len();
    let platform = Platform::start(|options| {
        options.parameters.insert("MaxMiniatureBytes".to_owned(), limit.to_string());
        options.parameters.insert("AllowedImageTypes".to_owned(), "image/png".to_owned());
    })
    .await;
    let user = platform.sign_up().await;
    let ask = |content_type: &str, size_bytes: usize| {
        let mut body = File::video().announcement();
        body["miniature"] =
            json!({"filename": "still", "content_type": content_type, "size_bytes": size_bytes});
        let (platform, user) = (&platform, &user);
        async move { platform.post_as(user, "/media", &body).await }
    };
    let problem = ask("image/jpeg", limit + 1).await;
    let problem = expect_problem(problem, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/miniature/content_type", "/miniature/size_bytes"]);
    let created = expect(ask("image/png", limit).await, StatusCode::CREATED).await;
    // S3 itself takes no more than was announced.
    let longer = platform.put(&created["miniature_upload"], vec![0; limit + 1]).await;
    assert_eq!(longer.status(), StatusCode::FORBIDDEN);
    send_image(&platform, &created, &png).await;
    assert_eq!(miniature_ended(&platform, &id_of(&created)).await.0, "published");
    platform.shut_down().await;
}
